"""copy_tree on a real host of the lab: the folder becomes what the snapshot holds, and nothing else is touched."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lab.cloud.hosts import HOST_TOOLS, SYSTEM_PATH
from tests.support.host_scripts import MARKER, HostWithVolume, another_disk
from tests.support.trees import fingerprint, furnish, wreck_files

pytestmark = pytest.mark.lab

IN_PLACE = {"SOURCE": "site", "MUST_BE_NEW": "no"}


@pytest.fixture(params=["host", "host_without_rsync"])
def furnished(request: pytest.FixtureRequest) -> HostWithVolume:
    """A host, with and without rsync, whose site and whose volume hold the same tree."""
    if request.param == "host" and not shutil.which("rsync", path=SYSTEM_PATH):
        pytest.skip("this machine, and so a host of the lab, has no rsync")
    host: HostWithVolume = request.getfixturevalue(request.param)
    (host.volume / "site" / "index.html").write_text("welcome")
    furnish(host.volume / "site")
    (host.volume / "site" / "deep" / "down").mkdir(parents=True)
    (host.volume / "site" / "deep" / "down" / "page.html").write_text("deep")
    (host.volume / "site" / "deep" / "other.html").write_text("other")
    os.utime(host.volume / "site" / "deep" / "down", (1_400_000_000, 1_400_000_000))
    (host.volume / "site" / "deep" / "down").chmod(0o710)
    os.link(host.volume / "site" / "index.html", host.volume / "site" / "hard")
    host.cloud.run(host.instance, f"cp -a {host.volume}/site/. {host.site}/")
    assert fingerprint(host.site) == fingerprint(host.volume / "site")
    return host


def copy(host: HostWithVolume, paths: str = "", **parameters: str) -> dict[str, object]:
    return host.ask("copy_tree", **(IN_PLACE | {"TARGET": str(host.site), "PATHS": paths} | parameters))


def refused(host: HostWithVolume, paths: str = "", **parameters: str) -> str:
    """Run it to be refused, and see that the target is as it was."""
    before = fingerprint(host.site)
    said = host.refusal("copy_tree", **(IN_PLACE | {"TARGET": str(host.site), "PATHS": paths} | parameters))
    assert fingerprint(host.site) == before
    assert said.endswith("; nothing was overwritten.")
    return said


def test_the_folder_becomes_what_the_snapshot_holds_however_often_it_runs(furnished: HostWithVolume) -> None:
    expected = fingerprint(furnished.volume / "site")
    wreck_files(furnished.site)
    files = [path for path in (furnished.volume / "site").rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files)
    for _ in range(2):
        answer = copy(furnished)
        assert fingerprint(furnished.site) == expected
        assert (answer["files"], answer["bytes"]) == (len(files), size)
        assert isinstance(answer["seconds"], float)
    assert (furnished.site / "hard").samefile(furnished.site / "index.html")


def test_a_folder_that_is_gone_comes_back_whole(furnished: HostWithVolume) -> None:
    shutil.rmtree(furnished.site)
    copy(furnished)
    assert fingerprint(furnished.site) == fingerprint(furnished.volume / "site")


def test_the_volumes_root_can_be_the_source(furnished: HostWithVolume) -> None:
    copy(furnished, SOURCE=".")
    assert fingerprint(furnished.site) == fingerprint(furnished.volume)


def test_a_change_that_kept_size_and_time_is_undone_too(furnished: HostWithVolume) -> None:
    page = furnished.site / "index.html"
    status = page.stat()
    page.write_text("HACKED!")
    os.utime(page, ns=(status.st_atime_ns, status.st_mtime_ns))
    copy(furnished)
    assert page.read_text() == "welcome"


def test_the_marker_stays_and_is_not_copied_while_files_of_that_name_deeper_down_are(furnished: HostWithVolume) -> None:
    (furnished.site / MARKER).write_text("restore under way")
    (furnished.volume / "site" / MARKER).write_text("from long ago")
    (furnished.volume / "site" / "deep" / MARKER).write_text("part of the site")
    copy(furnished)
    assert (furnished.site / MARKER).read_text() == "restore under way"
    assert (furnished.site / "deep" / MARKER).read_text() == "part of the site"
    (furnished.site / MARKER).unlink()
    copy(furnished)
    assert not (furnished.site / MARKER).exists()


def test_only_the_paths_asked_for_come_back(furnished: HostWithVolume) -> None:
    expected = fingerprint(furnished.volume / "site")
    wreck_files(furnished.site)
    (furnished.site / "deep" / "down" / "new.php").write_text("evil")
    (furnished.site / "deep" / "other.html").write_text("changed")
    wrecked = fingerprint(furnished.site)
    copy(furnished, "bin\ndeep/down/\nlarge.bin\ncurrent\n-rf\npipe\n")
    found = fingerprint(furnished.site)
    brought = {path for path in expected if Path(path).parts[:1] in (("bin",), ("large.bin",), ("current",), ("-rf",))}
    brought |= {path for path in expected if path.startswith("deep/down")} | {"pipe"}
    assert {path: found.get(path) for path in brought} == {path: expected[path] for path in brought}
    assert "deep/down/new.php" not in found
    untouched = wrecked.keys() - brought - {".", "deep/down/new.php"}
    assert {path: found.get(path) for path in untouched} == {path: wrecked[path] for path in untouched}
    assert found.keys() == brought | untouched | {"."}


def test_missing_folders_on_the_way_are_made_as_they_were(furnished: HostWithVolume) -> None:
    expected = fingerprint(furnished.volume / "site")
    shutil.rmtree(furnished.site / "deep")
    copy(furnished, "deep/down/page.html")
    found = fingerprint(furnished.site)
    for path in ("deep", "deep/down", "deep/down/page.html"):
        assert found[path] == expected[path]
    assert "deep/other.html" not in found


def test_a_path_that_is_a_link_today_is_replaced_and_what_it_points_to_is_left_alone(
    furnished: HostWithVolume, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep.txt").write_text("keep")
    shutil.rmtree(furnished.site / "deep")
    (furnished.site / "deep").symlink_to(outside)
    copy(furnished, "deep")
    assert [path.name for path in outside.iterdir()] == ["keep.txt"]
    assert (furnished.site / "deep" / "down" / "page.html").read_text() == "deep"


def test_a_path_whose_parent_is_a_link_today_is_refused(furnished: HostWithVolume, tmp_path: Path) -> None:
    shutil.rmtree(furnished.site / "deep")
    (furnished.site / "deep").symlink_to(tmp_path)
    assert "'deep' in" in refused(furnished, "index.html\ndeep/other.html")
    assert not (tmp_path / "other.html").exists()


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ("../site", "'../site' is not a path below the folder"),
        ("/etc", "'/etc' is not a path below the folder"),
        ("deep/../../x", "is not a path below the folder"),
        (".", "'.' is not a path below the folder"),
        ("index.html\nnever-there", "The snapshot has no 'never-there' in the folder site"),
        ("current/run.sh", "'current' is a symbolic link in the snapshot"),
        (MARKER, "keeps the site offline"),
    ],
)
def test_a_path_that_cannot_come_back_refuses_everything(furnished: HostWithVolume, paths: str, message: str) -> None:
    (furnished.site / "index.html").write_text("HACKED")
    (furnished.volume / "site" / MARKER).write_text("from long ago")
    assert message in refused(furnished, paths)


def test_a_folder_that_the_snapshot_does_not_have_is_refused(host: HostWithVolume) -> None:
    assert "has no folder never-there" in refused(host, SOURCE="never-there")


def test_a_source_that_leads_off_the_volume_is_refused(host: HostWithVolume, tmp_path: Path) -> None:
    (host.volume / "release").symlink_to(tmp_path)
    assert "leads off the volume" in refused(host, SOURCE="release", SHOWN_AT="/srv")


def test_a_marker_that_is_no_plain_name_is_refused(host: HostWithVolume) -> None:
    for marker in ("", "..", "*.htm", "a/b"):
        assert "is not a plain file name" in refused(host, OFFLINE_MARKER=marker)


def test_a_folder_that_somebody_writes_to_meanwhile_is_not_called_restored(
    furnished: HostWithVolume, tmp_path: Path
) -> None:
    checker = "diff" if furnished.path else "rsync"
    between = tmp_path / "between" / checker
    between.parent.mkdir()
    between.write_text(f'#!/bin/sh\necho evil >{furnished.site}/intruder.php\nexec /usr/bin/{checker} "$@"\n')
    between.chmod(0o755)
    host = replace(furnished, path=f"{between.parent}:{furnished.path or '$PATH'}")
    said = host.refusal("copy_tree", **IN_PLACE, TARGET=str(host.site), PATHS="")
    assert f"After the copy {host.site} is not what the snapshot holds (is something writing to it?)" in said
    assert "intruder.php" in said


def test_a_check_that_could_not_be_made_is_a_failure(host: HostWithVolume, tmp_path: Path) -> None:
    rsync = tmp_path / "rsync"
    rsync.write_text("#!/bin/sh\necho cannot read >&2\nexit 23\n")
    rsync.chmod(0o755)
    broken = replace(host, path=f"{tmp_path}:$PATH")
    said = broken.refusal("copy_tree", **IN_PLACE, TARGET=str(host.site), PATHS="")
    assert said == "cannot read"


def test_unmounting_takes_the_mount_point_away_and_may_be_done_twice(host: HostWithVolume) -> None:
    mount_point = host.cloud.host_path(host.instance, "/tmp/perennial-under-test")
    device = host.cloud.host_path(host.instance, "/dev/sdg")
    host.cloud.run(host.instance, f"mkdir {mount_point} && mount {device} {mount_point}")
    assert (mount_point / "site").is_dir()
    for _ in range(2):
        assert host.ask("unmount") == {}
        assert not mount_point.exists()


def test_a_folder_into_which_another_disk_is_mounted_is_not_emptied(furnished: HostWithVolume) -> None:
    uploads = furnished.site / "uploads of today"
    uploads.mkdir()
    with another_disk(uploads):
        (uploads / "photo.jpg").write_text("on another disk")
        for paths in ("", "uploads of today", "index.html\nuploads of today/photo.jpg"):
            (furnished.volume / "site" / "uploads of today").mkdir(exist_ok=True)
            said = refused(furnished, paths)
            assert "photo.jpg" in said if "photo" in paths else "mounted on 'uploads of today'" in said
        copy(furnished, "index.html")
        assert (uploads / "photo.jpg").read_text() == "on another disk"


def test_a_folder_that_has_to_be_new_is_never_overwritten(furnished: HostWithVolume) -> None:
    assert "is not empty any more" in refused(furnished, MUST_BE_NEW="yes")
    new = furnished.site / "brought" / "back"
    copy(furnished, TARGET=str(new), MUST_BE_NEW="yes")
    assert fingerprint(new) == fingerprint(furnished.volume / "site")


def test_a_new_folder_whose_disk_has_no_room_is_not_begun(furnished: HostWithVolume) -> None:
    small = furnished.site / "small"
    small.mkdir()
    with another_disk(small, "64k"):
        said = refused(furnished, TARGET=str(small / "new"), MUST_BE_NEW="yes")
        assert "and its disk has" in said
        assert list(small.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_left(furnished: HostWithVolume) -> None:
    assert "is no folder" in refused(furnished, TARGET=str(furnished.site / "index.html"))


def test_a_volume_that_cannot_be_mounted_has_changed_nothing(furnished: HostWithVolume) -> None:
    programs = furnished.cloud.host_path(furnished.instance, "/programs")
    programs.mkdir()
    (programs / "mount").write_text("#!/bin/sh\necho 'wrong fs type' >&2; exit 32\n")
    (programs / "mount").chmod(0o755)
    path = furnished.path or f"{HOST_TOOLS}:{SYSTEM_PATH}"
    broken = replace(furnished, path=f"{programs}:{path}")
    assert "cannot be mounted" in refused(broken)


def test_a_name_with_a_backslash_is_not_a_file_in_a_folder(furnished: HostWithVolume) -> None:
    for path in (r"a\b.txt", "a/b.txt"):
        for folder in (furnished.volume / "site", furnished.site):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(f"{path} of {folder.parent.name}")
    copy(furnished, r"a\b.txt")
    assert (furnished.site / r"a\b.txt").read_text() == (furnished.volume / "site" / r"a\b.txt").read_text()
    assert (furnished.site / "a/b.txt").read_text() == "a/b.txt of srv"
