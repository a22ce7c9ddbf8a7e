"""How copy_tree makes sure of what it has copied, on file systems and with programs that know less than others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.cloud.hosts import HOST_TOOLS, SYSTEM_PATH
from tests.support.host_scripts import HostWithVolume

pytestmark = pytest.mark.lab

MOMENT = 1_600_000_000_123_456_789
WHOLE_SECONDS = 1_600_000_000 * 10**9


@pytest.fixture(params=[("ext4", "128"), ("ext4", "256"), ("ext3", "128")], ids=" ".join)
def disk(host: HostWithVolume, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, bool]]:
    """A folder on a real file system of its own, and whether that keeps parts of a second."""
    kind, inode_bytes = request.param
    image, folder = tmp_path / "disk.img", host.site / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(8 * 2**20)
    mkfs = shutil.which("mkfs.ext4", path=SYSTEM_PATH)
    if mkfs is None:
        pytest.skip("this machine has no mkfs.ext4")
    subprocess.run([mkfs, "-q", "-t", kind, "-I", inode_bytes, image], check=True, capture_output=True)
    if subprocess.run(["/bin/mount", "-o", "loop", image, folder], capture_output=True).returncode:
        pytest.skip("no image can be mounted here")
    try:
        (folder / "site").mkdir()
        yield folder / "site", inode_bytes == "256"
    finally:
        subprocess.run(["/bin/umount", folder], check=True)


def with_rsync(host: HostWithVolume, tmp_path: Path, version: str) -> HostWithVolume:
    """The host, with an rsync that says it is of a version, and takes no notice of times as that one does."""
    programs = tmp_path / f"rsync-{version}"
    programs.mkdir()
    heedless = "--modify-window=-1" if version < "3.1.3" else "none"
    (programs / "rsync").write_text(
        f"#!/bin/bash\n[[ $1 != --version ]] || {{ echo 'rsync  version {version}  protocol version 31'; exit; }}\n"
        # Before 3.1.3 a window of -1 let every time pass for the same.
        f'for word; do [[ $word != {heedless} ]] || word=--modify-window=999999999; words+=("$word"); done\n'
        'exec /usr/bin/rsync "${words[@]}"\n'
    )
    (programs / "rsync").chmod(0o755)
    return replace(host, path=f"{programs}:{HOST_TOOLS}:{SYSTEM_PATH}")


def without_rsync(host: HostWithVolume, tmp_path: Path) -> HostWithVolume:
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name != "rsync":
            (programs / program.name).symlink_to(program)
    return replace(host, path=f"{HOST_TOOLS}:{programs}")


def host_of_kind(host: HostWithVolume, tmp_path: Path, kind: str) -> HostWithVolume:
    if kind == "no rsync":
        return without_rsync(host, tmp_path)
    if not shutil.which("rsync", path=SYSTEM_PATH):
        pytest.skip("this machine has no rsync")
    return host if kind == "rsync" else with_rsync(host, tmp_path, kind)


CHECKED_BY = {"rsync": "rsync", "3.1.2": "rsync and find", "3.1.3": "rsync", "no rsync": "diff and find"}


@pytest.mark.parametrize("kind", ["rsync", "3.1.2", "no rsync"])
def test_a_good_copy_is_good_on_a_disk_that_keeps_whole_seconds(
    host: HostWithVolume, disk: tuple[Path, bool], tmp_path: Path, kind: str
) -> None:
    target, keeps_parts = disk
    page = host.volume / "site" / "page"
    page.write_text("then")
    os.utime(page, ns=(MOMENT, MOMENT))
    (host.volume / "site" / "link").symlink_to("page")
    answer = host_of_kind(host, tmp_path, kind).ask(
        "copy_tree", SOURCE="site", TARGET=str(target), PATHS="", MUST_BE_NEW="no"
    )
    assert answer["checked_by"] == CHECKED_BY[kind]
    assert (target / "page").stat().st_mtime_ns == (MOMENT if keeps_parts else WHOLE_SECONDS)
    assert sorted(path.name for path in target.iterdir() if path.name != "lost+found") == ["link", "page"]


@pytest.mark.parametrize("kind", ["3.1.2", "3.0.9", "3.1.3", "rsync", "no rsync"])
@pytest.mark.parametrize("nanoseconds", [1, 10**9])
def test_a_file_that_somebody_has_written_to_meanwhile_is_seen_by_its_time(
    host: HostWithVolume, tmp_path: Path, kind: str, nanoseconds: int
) -> None:
    """The same size, another content and another time: what an application does that was not stopped."""
    page = host.volume / "site" / "page"
    page.write_text("then")
    os.utime(page, ns=(MOMENT, MOMENT))
    known = host_of_kind(host, tmp_path, kind)
    writer = tmp_path / "writer"
    writer.mkdir()
    changed = host.site / "page"
    (writer / "cp").write_text(
        f'#!/bin/bash\n/usr/bin/cp "$@" || exit\n'
        f"{sys.executable} -c 'import os; os.utime(\"{changed}\", ns=({MOMENT + nanoseconds},) * 2)'\n"
    )
    (writer / "cp").chmod(0o755)
    watched = replace(known, path=f"{writer}:{known.path or f'{HOST_TOOLS}:{SYSTEM_PATH}'}")
    said = watched.refusal("copy_tree", SOURCE="site", TARGET=str(host.site), PATHS="", MUST_BE_NEW="no")
    assert "is not what the snapshot holds (is something writing to it?)" in said
    assert "page" in said


def test_a_folder_in_which_no_file_can_be_made_is_not_begun(host: HostWithVolume, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "touch").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "own" / "touch").chmod(0o755)
    broken = replace(host, path=f"{tmp_path}/own:{HOST_TOOLS}:{SYSTEM_PATH}")
    (host.site / "page").write_text("today")
    said = broken.refusal("copy_tree", SOURCE="site", TARGET=str(host.site), PATHS="", MUST_BE_NEW="no")
    assert f"No file can be made in {host.site}; nothing was overwritten." in said
    assert [path.name for path in host.site.iterdir()] == ["page"]
