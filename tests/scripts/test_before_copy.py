"""What copy_tree looks at before it changes anything: a copy that cannot end well is never begun."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab.cloud.hosts import HOST_TOOLS, SYSTEM_PATH
from tests.support.host_scripts import MARKER, HostWithVolume, another_disk
from tests.support.trees import fingerprint

pytestmark = pytest.mark.lab

IN_PLACE = {"SOURCE": "site", "MUST_BE_NEW": "no", "PATHS": ""}
KIB = 1024


def refused(host: HostWithVolume, target: Path | None = None, **parameters: str) -> str:
    """Run it to be refused, both when it is to look only and when it is to copy; the target stays as it was."""
    target = target or host.site
    before = fingerprint(target)
    said = {
        host.refusal("copy_tree", **{**IN_PLACE, "TARGET": str(target), "ONLY_LOOK_SECONDS": seconds, **parameters})
        for seconds in ("60", "0")
    }
    assert fingerprint(target) == before
    assert len(said) == 1, "a look and a copy do not refuse the same"
    return said.pop()


def copied(host: HostWithVolume, target: Path | None = None, **parameters: str) -> dict[str, object]:
    """Run it, after a look that has changed nothing and counts the same."""
    target = target or host.site
    before = fingerprint(target) if target.exists() else None
    asked = {**IN_PLACE, "TARGET": str(target), **parameters}
    looked = host.ask("copy_tree", **asked, ONLY_LOOK_SECONDS="60")
    assert (fingerprint(target) if target.exists() else None) == before
    assert (looked["counted"], looked["checked_by"]) == (True, "")
    done = host.ask("copy_tree", **asked)
    assert (done["files"], done["bytes"]) == (looked["files"], looked["bytes"])
    return done


@pytest.fixture
def small(host: HostWithVolume) -> Iterator[Path]:
    """A site on a disk of its own of 1 MiB."""
    folder = host.cloud.host_path(host.instance, "/srv/small")
    folder.mkdir()
    with another_disk(folder):
        (folder / "site").mkdir()
        yield folder / "site"


def test_files_that_grow_in_place_beyond_the_disks_room_are_not_begun(host: HostWithVolume, small: Path) -> None:
    (small / "log").write_bytes(os.urandom(100 * KIB))
    (host.volume / "site" / "log").write_bytes(os.urandom(1100 * KIB))
    said = refused(host, small)
    assert "bytes beyond those that are freed in time, and its disk has" in said


def test_room_that_is_freed_too_late_does_not_count(host: HostWithVolume, small: Path) -> None:
    for name, today, then in (("a", 10, 700), ("z", 700, 10)):
        (small / name).write_bytes(os.urandom(today * KIB))
        (host.volume / "site" / name).write_bytes(os.urandom(then * KIB))
    assert "and its disk has" in refused(host, small)


def test_room_that_is_freed_in_time_counts(host: HostWithVolume, small: Path) -> None:
    (small / "added since").write_bytes(os.urandom(400 * KIB))
    (small / "same").write_bytes(os.urandom(500 * KIB))
    (host.volume / "site" / "same").write_bytes(os.urandom(510 * KIB))
    (host.volume / "site" / "deleted since").write_bytes(os.urandom(300 * KIB))
    copied(host, small)
    assert fingerprint(small) == fingerprint(host.volume / "site")


def test_a_file_with_another_name_frees_nothing_while_that_one_stands(host: HostWithVolume, small: Path) -> None:
    (small / "kept").write_bytes(os.urandom(600 * KIB))
    os.link(small / "kept", small / "chosen")
    (host.volume / "site" / "chosen").write_bytes(os.urandom(600 * KIB))
    assert "and its disk has" in refused(host, small, PATHS="chosen")


def test_the_names_of_one_file_in_the_snapshot_need_its_room_once(host: HostWithVolume, small: Path) -> None:
    (host.volume / "site" / "one").write_bytes(os.urandom(400 * KIB))
    for name in ("two", "three", "four"):
        os.link(host.volume / "site" / "one", host.volume / "site" / name)
    copied(host, small)


def test_a_file_system_without_inodes_left_is_found_before_anything_is_deleted(
    host: HostWithVolume, small: Path
) -> None:
    for number in range(30):
        (host.volume / "site" / str(number)).touch()
    (small / "today").write_text("today")
    subprocess.run(["/bin/mount", "-o", "remount,nr_inodes=20", small.parent], check=True)
    assert "inodes more, and its file system has 17 left" in refused(host, small)


@contextmanager
def locked(path: Path, flag: str) -> Iterator[None]:
    """A file or folder that not even root may change."""
    if subprocess.run(["/usr/bin/chattr", f"+{flag}", path], capture_output=True).returncode:
        pytest.skip("this file system, or this user, locks no files")
    try:
        yield
    finally:
        subprocess.run(["/usr/bin/chattr", f"-{flag}", path], check=True)


@pytest.mark.parametrize(
    ("flag", "what"),
    [("i", "deep/page.html"), ("a", "deep"), ("i", "."), ("a", "deep/page.html"), ("i", "deep"), ("a", ".")],
)
def test_a_locked_file_or_folder_is_found_before_another_one_is_overwritten(
    host: HostWithVolume, flag: str, what: str
) -> None:
    for folder in (host.volume / "site", host.site):
        (folder / "deep").mkdir()
        (folder / "deep" / "page.html").write_text(str(folder))
        (folder / "free.html").write_text(str(folder))
    with locked(host.site / what, flag):
        assert "cannot be" in refused(host)
        assert "cannot be" in refused(host, PATHS="free.html\ndeep/page.html")
        if what != ".":
            copied(host, PATHS="free.html")


def test_a_mount_that_takes_no_writing_is_found(host: HostWithVolume, small: Path) -> None:
    (host.volume / "site" / "page").write_text("then")
    (small / "page").write_text("today")
    subprocess.run(["/bin/mount", "-o", "remount,ro", small.parent], check=True)
    assert "cannot be written to: its file system is read-only" in refused(host, small)
    assert "cannot be written to" in host.refusal(
        "copy_tree", **IN_PLACE | {"MUST_BE_NEW": "yes"}, TARGET=f"{small}/new"
    )


def test_a_path_that_lies_on_another_disk_is_not_overwritten(host: HostWithVolume) -> None:
    for folder in (host.volume / "site", host.site):
        (folder / "uploads").mkdir()
    with another_disk(host.site / "uploads"):
        for folder in (host.volume / "site", host.site):
            (folder / "uploads" / "photo.jpg").write_text(str(folder))
        assert "Another disk is mounted on 'uploads'" in refused(host, PATHS="uploads/photo.jpg")


def test_an_image_that_is_open_as_a_disk_is_not_replaced(host: HostWithVolume) -> None:
    for folder in (host.volume / "site", host.site):
        (folder / "mail").mkdir()
        (folder / "mail" / "disk.img").write_bytes(bytes(64 * KIB))
        (folder / "page").write_text(str(folder))
    attached = subprocess.run(
        ["/usr/sbin/losetup", "--show", "--find", host.site / "mail" / "disk.img"], capture_output=True, text=True
    )
    if attached.returncode:
        pytest.skip(f"no loop device can be made here: {attached.stderr.strip()}")
    try:
        assert "The kernel has open as a disk or as swap space 'mail/disk.img'" in refused(host)
        copied(host, PATHS="page")
    finally:
        subprocess.run(["/usr/sbin/losetup", "--detach", attached.stdout.strip()], check=True)


@pytest.fixture
def host_with(host: HostWithVolume, tmp_path: Path) -> HostWithVolume:
    """The host with a folder of programs of its own, first in PATH."""
    (tmp_path / "own").mkdir()
    return replace(host, path=f"{tmp_path}/own:{HOST_TOOLS}:{SYSTEM_PATH}")


def program(host: HostWithVolume, name: str, text: str) -> None:
    file = Path(host.path.split(":")[0]) / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


@pytest.mark.parametrize("kind", ["msdos", "exfat", "smb2"])
def test_a_file_system_that_keeps_no_owners_is_no_place_for_a_site(host_with: HostWithVolume, kind: str) -> None:
    program(host_with, "stat", f'case "$*" in "-f -c %T "*) echo {kind} ;; *) exec /usr/bin/stat "$@" ;; esac')
    assert f"({kind}) keeps no owners" in refused(host_with)


def test_a_name_that_the_target_takes_no_more_is_found(host_with: HostWithVolume) -> None:
    (host_with.volume / "site" / ("n" * 200)).touch()
    program(host_with, "stat", 'case "$*" in "-f -c %l "*) echo 143 ;; *) exec /usr/bin/stat "$@" ;; esac')
    assert "has names of 200 bytes, and the file system of" in refused(host_with)


def test_a_folder_that_takes_names_in_any_case_is_no_place_for_one_that_does_not(host_with: HostWithVolume) -> None:
    program(
        host_with,
        "lsattr",
        'for path; do :; done; case "$path" in */volumes/*) e=- ;; *) e=F ;; esac; echo "---------$e- $path"',
    )
    assert "takes names that differ in case for the same" in refused(host_with)


def test_a_host_that_lacks_a_program_says_so_before_anything(host: HostWithVolume, tmp_path: Path) -> None:
    programs = tmp_path / "few"
    programs.mkdir()
    for name in ("sh", "base64", "date", "awk", "sed", "cat"):
        found = shutil.which(name, path=SYSTEM_PATH)
        assert found
        (programs / name).symlink_to(found)
    assert "This host lacks the programs find sort" in refused(replace(host, path=str(programs)))


def test_a_folder_of_the_snapshot_that_cannot_be_read_to_its_end_is_found(host_with: HostWithVolume) -> None:
    (host_with.volume / "site" / "page").touch()
    program(host_with, "find", '/usr/bin/find "$@"; case "$*" in *SOURCE*) exit 1 ;; esac')
    assert "cannot be read to its end" in refused(host_with)


def test_a_look_that_takes_too_long_says_that_not_all_was_counted(host: HostWithVolume) -> None:
    for folder in range(60):
        (host.volume / "site" / str(folder)).mkdir()
        for file in range(100):
            (host.volume / "site" / str(folder) / str(file)).touch()
    asked = {**IN_PLACE, "TARGET": str(host.site)}
    assert host.ask("copy_tree", **asked, ONLY_LOOK_SECONDS="0.001")["counted"] is False
    assert list(host.site.iterdir()) == []


def test_more_chosen_paths_than_one_variable_of_a_program_may_hold_come_back(host: HostWithVolume) -> None:
    names = [f"{number:03}-{'n' * 240}" for number in range(600)]
    assert sum(len(name) + 1 for name in names) > 128 * KIB
    for name in names:
        (host.volume / "site" / name).write_text(name)
    (host.site / MARKER).write_text("offline")
    assert copied(host, PATHS="\n".join(names))["files"] == 600
    assert {path.name for path in host.site.iterdir()} == {*names, MARKER}
