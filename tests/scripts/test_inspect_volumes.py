"""inspect_volumes.sh: what is really seen at a folder, on which disks, and whether anything is in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.cloud.hosts import HOST_TOOLS
from lab.testing.cloud import LabCloud
from tests.support.host_scripts import HostWithVolume, another_disk, host

__all__ = ["host"]

pytestmark = pytest.mark.lab

REAL_TOOLS = "/usr/bin:/bin:/usr/sbin:/sbin"


def ask(host: HostWithVolume, *folders: Path | str, path: str = "") -> list[dict[str, Any]]:
    """What the script says of each folder, its mount put in."""
    asked = HostWithVolume(host.cloud, host.instance, host.volume_id, host.volume, host.site, path)
    answer = asked.ask("inspect_volumes", FOLDERS="\n".join(map(str, folders)))
    names = ("mount", "root", "source", "filesystem", "disks")
    return [
        {
            "kind": kind,
            "empty": empty,
            "real": real,
            "below": below,
            **dict(zip(names, answer["mounts"].get(number, ()), strict=False)),
        }
        for kind, empty, number, real, below in answer["folders"]
    ]


def mount(host: HostWithVolume, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    device = host.cloud.host_path(host.instance, "/dev/sdg")
    assert host.cloud.run(host.instance, f"mount {device} {folder}").status == "Success"


@contextmanager
def bound(source: Path, folder: Path) -> Iterator[None]:
    """A folder that shows another one, as `mount --bind` makes it."""
    subprocess.run(["/bin/mount", "--bind", source, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", folder], check=True)


def serial(volume_id: str) -> str:
    return volume_id.replace("-", "")


def test_a_mounted_volume_is_told_by_the_serial_number_of_its_disk_and_a_folder_beside_it_by_the_host_s(
    host: HostWithVolume,
) -> None:
    mounted = host.cloud.host_path(host.instance, "/mnt/data")
    mount(host, mounted)
    (host.volume / "site" / "index.html").write_text("hello")
    at_mount, site, beside, gone = ask(host, mounted, f"{mounted}/site", host.site, f"{mounted}/gone")
    assert at_mount["mount"] == at_mount["real"]
    assert (site["kind"], site["empty"], site["disks"]) == ("folder", False, [["sdg", serial(host.volume_id)]])
    assert (beside["kind"], beside["empty"]) == ("folder", True)
    assert beside["mount"] == str(host.cloud.host_path(host.instance).resolve())
    assert serial(host.volume_id) not in str(beside["disks"])
    assert gone["kind"] == "nothing"


@pytest.mark.parametrize("name", ["a b", 'quo"te', "back\\slash", "b\u00e4ume", "a\\x20b", "$HOME"])
def test_names_of_any_kind_are_found_and_told_as_they_are(host: HostWithVolume, name: str) -> None:
    folder = host.site / name
    folder.mkdir()
    (host.site / "link").symlink_to(folder)
    with another_disk(folder):
        at_mount, link, file = ask(host, folder, host.site / "link", "/etc/passwd", path=REAL_TOOLS)
    assert (at_mount["mount"], at_mount["real"], at_mount["filesystem"]) == (str(folder), "", "tmpfs")
    assert (link["mount"], link["real"]) == (str(folder), str(folder))
    assert file["kind"] == "other"


def test_what_a_restore_or_a_file_system_puts_there_makes_no_folder_full(host: HostWithVolume) -> None:
    (host.site / "app_offline.htm").write_text("back soon")
    (host.site / "lost+found").mkdir()
    assert ask(host, host.site)[0]["empty"] is True
    (host.site / ".htaccess").touch()
    assert ask(host, host.site)[0]["empty"] is False


def test_many_folders_take_one_answer_that_names_each_mount_once(host: HostWithVolume) -> None:
    folders = [host.site / f"tenant-{number}" for number in range(40)]
    for folder in folders:
        folder.mkdir()
    done = host.run("inspect_volumes", FOLDERS="\n".join(map(str, folders)))
    assert done.stdout.count('"folder"') == 40
    assert done.stdout.count("/dev/sda1") == 1


def test_the_kernel_s_own_mounts_are_read_as_they_are_seen(host: HostWithVolume) -> None:
    first, below = host.site / "first", host.site / "first" / "below"
    first.mkdir()
    with another_disk(first):
        below.mkdir()
        elsewhere = host.site / "bound here"
        elsewhere.mkdir()
        with another_disk(below), bound(first, elsewhere):
            (at_parent,) = ask(host, host.site, path=REAL_TOOLS)
            assert at_parent["below"] in ("first", "first/below", "bound here")
            (at_first, at_below, at_bound) = ask(host, first, below / "x", elsewhere, path=REAL_TOOLS)[0:3]
            assert (at_first["mount"], at_first["below"]) == (str(first), "below")
            assert at_bound["below"] == ""
            assert at_below["kind"] == "nothing"
            assert (at_bound["mount"], at_bound["root"]) == (str(elsewhere), "/")
            with another_disk(host.site):  # hides all of them
                below.mkdir(parents=True)
                (hidden,) = ask(host, below, path=REAL_TOOLS)
                assert hidden["mount"] == str(host.site)
        (first / "sub").mkdir()
        with bound(first / "sub", elsewhere):
            (part,) = ask(host, elsewhere, path=REAL_TOOLS)
            assert (part["mount"], part["root"], part["filesystem"]) == (str(elsewhere), "/sub", "tmpfs")


@pytest.mark.parametrize(
    ("lsblk", "disks"),
    [
        (
            'NAME="nvme1n1p1" SERIAL="" TYPE="part"\nNAME="nvme1n1" SERIAL="vol0123" TYPE="disk"',
            [["nvme1n1", "vol0123"]],
        ),
        ('NAME="xvdf" SERIAL="" TYPE="disk"', [["xvdf", ""]]),
        (
            (
                'NAME="vg-lv" SERIAL="" TYPE="lvm"\nNAME="nvme1n1" SERIAL="vol01" TYPE="disk"\n'
                'NAME="nvme2n1" SERIAL="vol02" TYPE="disk"'
            ),
            [["nvme1n1", "vol01"], ["nvme2n1", "vol02"]],
        ),
        ("", []),
    ],
    ids=["partition", "xen", "volume group", "no disk"],
)
def test_the_disks_below_partitions_and_volume_groups_are_named(
    host: HostWithVolume, tmp_path: Path, lsblk: str, disks: list[list[str]]
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "lsblk").write_text(f"#!/bin/sh\ncat <<'END'\n{lsblk}\nEND\n")
    (tools / "lsblk").chmod(0o755)
    (found,) = ask(host, host.site, path=f"{tools}:{HOST_TOOLS}:{REAL_TOOLS}")
    assert found["disks"] == disks


def test_a_host_of_the_lab_answers_what_the_script_asks_and_nothing_else(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    assert lab_cloud.run(instance, "findmnt --json").status == "Failed"
    assert lab_cloud.run(instance, "lsblk --json").status == "Failed"
