"""How the scripts find the attached volume's disk and its file system on hosts of every kind, and no other's."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.cloud.data_plane import PARTITION_TABLE
from lab.cloud.hosts import HOST_TOOLS, SYSTEM_PATH
from lab.testing.cloud import LabCloud
from perennial.hooks.aws.host_scripts import SCRIPTS
from tests.support.host_scripts import HostWithVolume

pytestmark = pytest.mark.lab

IN_PLACE = {"SOURCE": "site", "MUST_BE_NEW": "no", "PATHS": ""}


def copied(host: HostWithVolume, **parameters: str) -> str:
    """Copy the site, and say what its page says then."""
    host.ask("copy_tree", **{**IN_PLACE, "TARGET": str(host.site), **parameters})
    return (host.site / "page").read_text()


def refused(host: HostWithVolume, **parameters: str) -> str:
    said = host.refusal("copy_tree", **{**IN_PLACE, "TARGET": str(host.site), "WAIT_SECONDS": "0", **parameters})
    assert said.endswith("; nothing was overwritten.")
    assert list(host.site.iterdir()) == []
    return said


def etc(host: HostWithVolume, name: str, text: str = "") -> None:
    file = host.cloud.host_path(host.instance, f"/etc/{name}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def page(host: HostWithVolume) -> HostWithVolume:
    """A host whose volume has a page to bring back."""
    (host.volume / "site" / "page").write_text("from the volume")
    return host


@pytest.fixture
def xen(page: HostWithVolume) -> HostWithVolume:
    """The same, and its disks have no serial numbers."""
    etc(page, "xen")
    return page


@pytest.mark.parametrize("device", ["/dev/sdg", "/dev/xvdg", "xvdg"])
def test_a_disk_without_a_serial_number_is_found_by_the_name_that_it_was_attached_under(
    xen: HostWithVolume, device: str
) -> None:
    assert copied(xen, DEVICE=device) == "from the volume"


@pytest.mark.parametrize(
    "told", [{"DEVICE": "/dev/sdh"}, {"VOLUME_GIB": "9"}, {"DEVICE": ""}], ids=["other name", "other size", "no name"]
)
def test_a_disk_without_a_serial_number_that_is_not_surely_the_volumes_is_not_taken(
    xen: HostWithVolume, told: dict[str, str]
) -> None:
    assert f"No disk of the volume {xen.volume_id} appeared" in refused(xen, **told)


def test_a_serial_number_with_the_model_in_front_of_it_is_known_as_older_hosts_write_it(
    page: HostWithVolume, tmp_path: Path
) -> None:
    older = tmp_path / "lsblk"
    older.write_text(
        f'#!/bin/sh\n"{HOST_TOOLS}/lsblk" "$@" | sed \'s/SERIAL="vol/SERIAL="Amazon_Elastic_Block_Store_vol/\'\n'
    )
    older.chmod(0o755)
    host = replace(page, path=f"{tmp_path}:{HOST_TOOLS}:/usr/bin:/bin:/usr/sbin:/sbin")
    assert copied(host) == "from the volume"


def test_a_disk_that_has_another_volumes_serial_number_is_not_taken_for_its_name(page: HostWithVolume) -> None:
    assert "No disk of the volume vol-0123" in refused(page, VOLUME_ID="vol-0123")


def test_a_disk_that_is_in_use_is_not_taken_for_the_volume(xen: HostWithVolume) -> None:
    mounted = xen.cloud.host_path(xen.instance, "/srv/in use")
    mounted.mkdir()
    device = xen.cloud.host_path(xen.instance, "/dev/sdg")
    xen.cloud.run(xen.instance, f"mount {device} '{mounted}'")
    assert f"is mounted on {mounted}" in refused(xen)
    xen.cloud.run(xen.instance, f"umount '{mounted}'")


@pytest.fixture
def partitioned(lab_cloud: LabCloud) -> Iterator[HostWithVolume]:
    """A host with an attached volume of two partitions: `volume` is the root of the volume itself."""
    instance = lab_cloud.make_instance()
    volume_id = lab_cloud.make_volume()
    lab_cloud.await_volume(volume_id, "available")
    volume, site = lab_cloud.volume_path(volume_id), lab_cloud.host_path(instance, "/srv/site")
    (volume / PARTITION_TABLE).touch()
    for part in ("p1", "p2"):
        (volume / part).mkdir()
    site.mkdir(parents=True)
    lab_cloud.client("ec2").attach_volume(VolumeId=volume_id, InstanceId=instance, Device="/dev/sdg")
    lab_cloud.await_volume(volume_id, "in-use", "attached")
    yield HostWithVolume(lab_cloud, instance, volume_id, volume, site)
    assert list(lab_cloud.host_path(instance, "/tmp").glob("perennial-*")) == [], "a mount point was left"


def put_page(host: HostWithVolume, part: str) -> None:
    (host.volume / part / "site").mkdir()
    (host.volume / part / "site" / "page").write_text(f"from {part}")


@pytest.mark.parametrize("part", ["p1", "p2"])
@pytest.mark.parametrize("has_serial", [True, False])
def test_the_partition_with_the_folder_is_found(partitioned: HostWithVolume, part: str, has_serial: bool) -> None:
    put_page(partitioned, part)
    if not has_serial:
        etc(partitioned, "xen")
    assert copied(partitioned) == f"from {part}"


def test_a_volume_with_one_file_system_is_mounted_once(page: HostWithVolume, tmp_path: Path) -> None:
    """Each mount of an xfs that was in use at its snapshot's moment replays its log."""
    mount = tmp_path / "mount"
    mount.write_text(f'#!/bin/sh\necho once >>"{tmp_path}/mounts"\nexec "{HOST_TOOLS}/mount" "$@"\n')
    mount.chmod(0o755)
    assert copied(replace(page, path=f"{tmp_path}:{HOST_TOOLS}:{SYSTEM_PATH}")) == "from the volume"
    assert (tmp_path / "mounts").read_text() == "once\n"


def test_a_partition_that_cannot_be_mounted_hides_none_that_can(partitioned: HostWithVolume) -> None:
    put_page(partitioned, "p2")
    etc(partitioned, "fstype/sdg1", "swap")
    assert copied(partitioned) == "from p2"


def test_a_folder_in_two_partitions_is_anybodys_guess(partitioned: HostWithVolume) -> None:
    for part in ("p1", "p2"):
        put_page(partitioned, part)
    said = refused(partitioned)
    assert "Several file systems on the volume" in said
    assert "have site:" in said


def test_a_folder_in_no_partition_is_told_with_all_that_were_looked_at(partitioned: HostWithVolume) -> None:
    said = refused(partitioned)
    assert "None of the file systems on the volume" in said
    assert all(f"sdg{number}" in said for number in (1, 2))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("LVM2_member", "is LVM, of which a host cannot have a copy beside the original"),
        ("btrfs", "is btrfs, of which a host cannot have a copy"),
        ("crypto_LUKS", "is crypto_LUKS, which holds no files to read"),
        ("ntfs", "is ntfs: mount: "),
    ],
)
def test_what_a_host_cannot_mount_is_called_by_its_name(page: HostWithVolume, kind: str, words: str) -> None:
    etc(page, "fstype/sdg", kind)
    said = refused(page)
    assert "cannot be mounted" in said
    assert words in said


def test_a_database_file_is_found_in_a_partition_too(partitioned: HostWithVolume) -> None:
    (partitioned.volume / "p2" / "data").mkdir()
    (partitioned.volume / "p2" / "data" / "shop.mdf").write_bytes(b"pages")
    target = partitioned.site / "copy.mdf"
    looked = partitioned.ask("copy_database_files", FILES=f"data/shop.mdf\t{target}", ONLY_LOOK_SECONDS="60")
    assert (looked["files"], looked["bytes"], target.exists()) == (1, 5, False)
    partitioned.ask("copy_database_files", FILES=f"data/shop.mdf\t{target}")
    assert target.read_bytes() == b"pages"


def test_an_immutable_folder_is_no_place_for_a_database(page: HostWithVolume) -> None:
    if subprocess.run(["/usr/bin/chattr", "+i", page.site], capture_output=True).returncode:
        pytest.skip("this file system, or this user, locks no files")
    try:
        said = page.refusal("copy_database_files", FILES=f"site/page\t{page.site / 'copy.mdf'}")
    finally:
        subprocess.run(["/usr/bin/chattr", "-i", page.site], check=True)
    assert f"{page.site} cannot be written to" in said


def test_a_name_that_the_disk_does_not_take_is_no_place_for_a_database(page: HostWithVolume) -> None:
    long = page.site / ("n" * 251)
    assert "is too long for its disk" in page.refusal("copy_database_files", FILES=f"site/page\t{long}")


def test_the_volumes_own_mount_of_an_attempt_that_died_is_taken_over(xen: HostWithVolume) -> None:
    left: Path = xen.cloud.host_path(xen.instance, "/tmp/perennial-under-test")
    device = xen.cloud.host_path(xen.instance, "/dev/sdg")
    xen.cloud.run(xen.instance, f"mkdir -p {left} && mount {device} {left}")
    assert copied(xen) == "from the volume"


def test_a_host_says_long_before_a_restore_what_it_lacks_for_one(host: HostWithVolume, tmp_path: Path) -> None:
    answer = host.ask("inspect_host", FOLDER=str(host.site))
    assert (answer["missing"], answer["finds_disks"], answer["device"] != "") == ([], True, True)
    old = tmp_path / "old"
    old.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name not in ("cmp", "rsync", "lsblk"):
            (old / program.name).symlink_to(program)
    (old / "lsblk").write_text("#!/bin/sh\necho \"lsblk: unrecognized option '--paths'\" >&2\nexit 1\n")
    (old / "lsblk").chmod(0o755)
    answer = replace(host, path=str(old)).ask("inspect_host", FOLDER=str(host.site))
    assert "cmp" in answer["missing"]
    assert "lsblk" not in answer["missing"]
    assert (answer["finds_disks"], answer["rsync"]) == (False, "")


def test_a_host_is_asked_for_the_programs_that_the_scripts_need() -> None:
    needed = {
        name
        for file in SCRIPTS.rglob("*.sh")
        for names in re.findall(r"^ *need_tools ([a-z ]+)$", file.read_text(), re.MULTILINE)
        for name in names.split()
    }
    (asked,) = re.findall(r"for tool in ([a-z \\\n]+); do", (SCRIPTS / "inspect_host.sh").read_text())
    assert needed <= set(asked.split())
    assert {"cmp", "lsblk", "find", "grep"} <= needed
    assert {"findmnt", "realpath"} <= set(asked.split())  # of the look before every snapshot
