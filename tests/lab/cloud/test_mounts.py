"""The host tools of the lab: scripts written for a real Linux host mount and unmount volumes with them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from signal import SIGKILL

import pytest

from lab.cloud.data_plane import DataPlane
from lab.cloud.hosts import HOST_TOOLS, SYSTEM_PATH
from lab.seed.hosts import mount_script
from lab.testing.deadlines import within

DEVICE = "sdf"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host's root folder with one attached volume, as the data plane makes it."""
    host, volume = tmp_path / "hosts" / "i-0a", tmp_path / "volumes" / "vol-0123abcd"
    volume.mkdir(parents=True)
    (volume / "index.html").write_text("hello")
    (host / "dev").mkdir(parents=True)
    (host / "dev" / DEVICE).symlink_to(volume)
    (host / "srv" / "acme").mkdir(parents=True)
    return host


def run(host: Path, script: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{HOST_TOOLS}:{SYSTEM_PATH}", "HOME": str(host)}
    return subprocess.run(
        ["/bin/bash", "-c", script], cwd=host, env=environment, capture_output=True, text=True, timeout=within(20)
    )


def mount(host: Path, where: str = "srv/acme", device: str = DEVICE) -> subprocess.CompletedProcess[str]:
    return run(host, f"mount -o ro {host}/dev/{device} {host}/{where}")


def test_a_script_for_a_real_host_finds_the_disk_mounts_it_and_unmounts_it(host: Path) -> None:
    done = run(
        host,
        f"""set -euo pipefail
        device=$(lsblk --noheadings --pairs --paths --nodeps --output NAME,SERIAL |
            sed -n 's/^NAME="\\([^"]*\\)" SERIAL="vol0123abcd"$/\\1/p')
        mkdir -p {host}/mnt/restore
        mount -o ro "$device" {host}/mnt/restore
        mountpoint -q {host}/mnt/restore
        cp -a {host}/mnt/restore/. {host}/srv/acme
        umount {host}/mnt/restore
        ! mountpoint -q {host}/mnt/restore
        rmdir {host}/mnt/restore""",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (host / "srv/acme/index.html").read_text() == "hello"


def test_a_volume_is_mounted_below_a_project_whose_name_has_a_space(tmp_path: Path) -> None:
    root, volume = tmp_path / "my project" / "i-0a", tmp_path / "my project" / "vol-0123abcd"
    volume.mkdir(parents=True)
    (root / "dev").mkdir(parents=True)
    (root / "dev" / DEVICE).symlink_to(volume)
    for _ in range(2):
        done = run(root, mount_script(root / "srv" / "acme", "vol-0123abcd"))
        assert (done.returncode, done.stderr) == (0, "")
    assert (root / "srv" / "acme").resolve() == volume.resolve()


def test_an_unmounted_folder_is_an_empty_folder_again_and_the_volume_keeps_its_content(host: Path) -> None:
    assert mount(host).returncode == 0
    (host / "srv/acme/new").write_text("written through the mount")
    assert run(host, f"umount {host}/srv/acme/").returncode == 0
    assert (host / "srv/acme").is_dir()
    assert list((host / "srv/acme").iterdir()) == []
    assert sorted(file.name for file in (host / "dev" / DEVICE).iterdir()) == ["index.html", "new"]


def test_a_folder_that_is_not_empty_is_not_mounted_over(host: Path) -> None:
    (host / "srv/acme/index.html").write_text("older")
    done = mount(host)
    assert (done.returncode, "not empty" in done.stderr) == (32, True)
    assert (host / "srv/acme/index.html").read_text() == "older"
    assert run(host, f"mountpoint -q {host}/srv/acme").returncode == 32


def test_a_device_is_mounted_once(host: Path) -> None:
    (host / "mnt").mkdir()
    assert mount(host).returncode == 0
    assert "already mounted" in mount(host).stderr
    second = mount(host, "mnt")
    assert second.returncode == 32
    assert f"already mounted on {host}/srv/acme" in second.stderr
    assert (host / "mnt").is_dir()


@pytest.mark.parametrize(
    ("device", "where", "message"),
    [
        ("sdz", "srv/acme", "special device"),
        (DEVICE, "srv/none", "mount point does not exist"),
        (DEVICE, "../outside", "lie below its root"),
    ],
)
def test_a_mount_that_cannot_be_is_refused(host: Path, device: str, where: str, message: str) -> None:
    (host.parent / "outside").mkdir()
    done = mount(host, where, device)
    assert done.returncode == 32
    assert message in done.stderr


def test_unmounting_what_is_not_mounted_fails_as_on_a_real_host(host: Path) -> None:
    done = run(host, f"umount {host}/srv/acme")
    assert (done.returncode, done.stderr) == (32, f"umount: {host}/srv/acme: not mounted.\n")


@pytest.mark.parametrize("command", ["lsblk", "mount", "umount -l /srv", "mountpoint /srv"])
def test_a_use_the_lab_does_not_know_is_refused_instead_of_reaching_the_real_machine(host: Path, command: str) -> None:
    done = run(host, command)
    assert done.returncode == 1
    assert "this lab host" in done.stderr


@pytest.mark.parametrize("killer", ["kill -KILL $PPID", '/bin/rmdir "$@"; kill -KILL $PPID'])
def test_a_mount_that_is_killed_on_its_way_has_not_happened_and_happens_the_next_time(
    host: Path, tmp_path: Path, killer: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "rmdir").write_text(f"#!/bin/sh\n{killer}\n")
    (tools / "rmdir").chmod(0o755)
    where, plane = host / "srv/acme", DataPlane(tmp_path)
    assert run(host, f"PATH={tools}:$PATH; mount -o ro {host}/dev/{DEVICE} {where}").returncode == -SIGKILL
    assert run(host, f"mountpoint -q {where}").returncode == 32
    assert 'MOUNTPOINT=""' in run(host, "lsblk --noheadings --pairs --output KNAME,MOUNTPOINT").stdout
    columns = "MAJ:MIN,FSROOT,SOURCE,FSTYPE,TARGET"
    assert DEVICE not in run(host, f"findmnt --noheadings --raw --nofsroot --output {columns}").stdout
    assert not plane.is_mounted(host.name, DEVICE)
    where.mkdir(exist_ok=True)
    assert mount(host).returncode == 0
    assert plane.is_mounted(host.name, DEVICE)
    assert (where / "index.html").read_text() == "hello"
