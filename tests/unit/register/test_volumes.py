"""What is seen of a tenant's volumes is judged part by part: only what nobody could mistake passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.rules.register.findings import Finding, Weight
from include.rules.register.host_facts import Attachment, Disk, HostFacts, PlaceFacts
from include.rules.register.tenants import DatabaseHost, Platform, WebHost
from include.rules.register.volumes import (
    folder_on_volume,
    folders_to_look_at,
    judge_database_volume,
    judge_web_volume,
)
from tests.unit.builders import tenant

WEB = tenant().web
DATABASE = tenant().database.model_copy(update={"mount": "/data"})
FILES = ("/data/shop.mdf", "/data/log/shop_log.ldf")
ROOT_DISK = Disk("nvme0n1", "vol0root0000")


def place(volume: str, mount: str, real: str, **changes: Any) -> PlaceFacts:
    disk = Disk("nvme1n1", volume.replace("-", ""))
    return replace(PlaceFacts("folder", False, real, mount, "/", "/dev/nvme1n1", "xfs", (disk,)), **changes)


def on_root_disk(path: str, **changes: Any) -> PlaceFacts:
    return place("vol-0f", "/", path, source="/dev/nvme0n1p1", disks=(Disk("nvme0n1", "vol0f"),), **changes)


def web_seen(**places: PlaceFacts | dict[str, Any]) -> HostFacts:
    """A host as the register describes it, but for what is said of `mount` or `path`."""
    both = {"mount": place(WEB.volume, WEB.mount, WEB.mount), "path": place(WEB.volume, WEB.mount, WEB.path)}
    for name, change in places.items():
        both[name] = change if isinstance(change, PlaceFacts) else replace(both[name], **change)
    return seen(WEB, {WEB.mount: both["mount"], WEB.path: both["path"]})


def seen(host: WebHost | DatabaseHost, places: dict[str, PlaceFacts], *attachments: Attachment) -> HostFacts:
    here = Attachment(host.instance, "/dev/sdf", "attached")
    return HostFacts({host.volume: attachments or (here,)}, places)


def database_seen(**changes: PlaceFacts) -> HostFacts:
    places = {path: place(DATABASE.volume, "/data", path) for path in ("/data", "/data/log")}
    return seen(DATABASE, {**places, **{f"/data{name}": found for name, found in changes.items()}})


def only(found: tuple[Finding, ...]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def test_volumes_that_are_as_the_register_says_have_no_findings() -> None:
    assert judge_web_volume(WEB, web_seen()) == ()
    assert judge_database_volume(DATABASE, database_seen(), FILES) == ()


@pytest.mark.parametrize(
    ("attachments", "fact"),
    [
        (None, "AWS shows no volume vol-00000001"),
        ((), "volume vol-00000001 is attached to nothing"),
        ((Attachment("i-0000beef", "/dev/sdf", "attached"),), "is attached to i-0000beef (attached)"),
        ((Attachment("i-00000001", "/dev/sdf", "detaching"),), "is detaching, at i-00000001"),
        ((Attachment("i-00000001", "/dev/sdf", "attaching"),), "is attaching, at i-00000001"),
        ((Attachment("i-00000001", "/dev/sdf", "busy"),), "is busy, at i-00000001"),
    ],
)
@pytest.mark.parametrize("silent", ["", "host i-00000001 could not be asked"])
def test_a_volume_that_is_not_attached_there_is_a_difference_also_when_the_host_is_silent(
    attachments: tuple[Attachment, ...] | None, fact: str, silent: str
) -> None:
    facts = replace(web_seen(), volumes={WEB.volume: attachments}, silent=silent)
    found = only(judge_web_volume(WEB, facts))
    assert (found.weight, fact in found.fact) == (Weight.DIFFERENCE, True)
    assert "web.instance i-00000001" in found.register
    assert "tenants.yaml" in found.todo


def test_a_volume_of_several_hosts_is_judged_by_its_own() -> None:
    elsewhere, here = (Attachment(host, "/dev/sdf", "attached") for host in ("i-0000beef", WEB.instance))
    assert judge_web_volume(WEB, replace(web_seen(), volumes={WEB.volume: (elsewhere, here)})) == ()


def test_a_host_that_is_silent_leaves_the_volume_not_looked_at() -> None:
    found = only(judge_web_volume(WEB, replace(web_seen(), places={}, silent="host i-1 could not be asked: agent")))
    assert (found.weight, found.fact) == (Weight.NOT_LOOKED_AT, "host i-1 could not be asked: agent")


@pytest.mark.parametrize(
    ("mount", "fact"),
    [
        (on_root_disk(WEB.mount), "nothing is mounted on /srv/acme of i-00000001: it is a folder of volume vol-0f"),
        (PlaceFacts("nothing"), "there is no such folder"),
        (PlaceFacts("other"), "there is no such folder"),
        (place("vol-00000002", WEB.mount, WEB.mount), "/srv/acme of i-00000001 lies on volume vol-00000002"),
        (place(WEB.volume, WEB.mount, WEB.mount, disks=(), source="tmpfs"), "lies on tmpfs"),
        (place(WEB.volume, WEB.mount, WEB.mount, disks=(), source="10.0.0.1:/share"), "lies on 10.0.0.1:/share"),
        (place(WEB.volume, WEB.mount, WEB.mount, root="/sites/acme"), "shows the folder /sites/acme of volume"),
        (
            place(WEB.volume, "/mnt/all", "/mnt/all/acme"),
            "nothing is mounted on /srv/acme of i-00000001: it is a folder of volume vol-00000001",
        ),
        (
            place(WEB.volume, WEB.mount, WEB.mount, disks=(Disk("a", "vol00000001"), Disk("b", "vol00000009"))),
            "lies on volume vol-00000001 and volume vol-00000009",
        ),
    ],
)
def test_what_is_mounted_there_has_to_be_the_volume_all_of_it_and_nothing_else(mount: PlaceFacts, fact: str) -> None:
    found = only(judge_web_volume(WEB, web_seen(mount=mount)))
    assert (found.weight, fact in found.fact) == (Weight.DIFFERENCE, True), found
    assert found.register
    assert found.todo


def test_a_mount_point_may_be_reached_by_a_link() -> None:
    mount, path = (place(WEB.volume, "/mnt/v1", real) for real in ("/mnt/v1", "/mnt/v1/site"))
    assert judge_web_volume(WEB, web_seen(mount=mount, path=path)) == ()


@pytest.mark.parametrize(
    ("path", "fact"),
    [
        (on_root_disk("/var/www/acme"), "lies on volume vol-0f (it is really /var/www/acme)"),
        (place("vol-00000009", WEB.path, WEB.path), "/srv/acme/site on i-00000001 lies on volume vol-00000009"),
        ({"kind": "nothing"}, "there is no folder /srv/acme/site"),
        ({"kind": "other"}, "/srv/acme/site on i-00000001 is no folder"),
        ({"empty": True}, "the folder /srv/acme/site on i-00000001 is empty"),
    ],
)
def test_a_folder_of_a_tenant_has_to_be_on_the_volume_and_hold_something(path: Any, fact: str) -> None:
    found = only(judge_web_volume(WEB, web_seen(path=path)))
    assert (found.weight, fact in found.fact) == (Weight.DIFFERENCE, True), found


def test_a_disk_that_is_mounted_in_the_folder_is_named_and_fails_nothing() -> None:
    found = only(judge_web_volume(WEB, web_seen(path={"below": "uploads"})))
    assert (found.weight, found.fact) == (
        Weight.NOTE,
        "another disk is mounted on uploads in /srv/acme/site on i-00000001: what lies there is in no backup of it",
    )


def test_a_link_within_the_volume_is_no_difference() -> None:
    assert judge_web_volume(WEB, web_seen(path={"real": "/srv/acme/releases/42"})) == ()


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ({}, ""),
        ({"kind": "nothing"}, ""),
        ({"real": "/srv/acme/releases/42"}, "releases/42"),
        ({"mount": "/srv/acme/site", "root": "/data/site"}, "data/site"),
        ({"mount": "/srv/acme/site", "root": "/site"}, ""),
        ({"mount": "/mnt/v1", "real": "/mnt/v1/site"}, ""),
        ({"mount": "/", "real": "/srv/acme/site"}, "srv/acme/site"),
        ({"real": "/srv/acme"}, "."),
    ],
)
def test_where_the_folder_really_is_on_the_volume_is_known_when_links_or_mounts_lead_there(
    path: dict[str, Any], folder: str
) -> None:
    assert folder_on_volume(WEB, web_seen(path=path)) == folder


def test_on_windows_a_folder_in_another_case_is_where_its_path_says() -> None:
    windows = WEB.model_copy(update={"mount": "D:\\Web", "path": "D:\\Web\\Acme", "platform": Platform.WINDOWS})
    for real, folder in (("d:\\web\\acme", ""), ("D:\\Web\\releases\\7", "releases/7")):
        facts = seen(windows, {windows.path: place(WEB.volume, "D:\\web\\", real)})
        assert folder_on_volume(windows, facts) == folder


def test_the_plan_may_allow_an_empty_folder_and_not_a_missing_one() -> None:
    assert only(judge_web_volume(WEB, web_seen(path={"empty": True}), may_be_empty=True)).weight is Weight.NOTE
    missing = only(judge_web_volume(WEB, web_seen(path={"kind": "nothing"}), may_be_empty=True))
    assert missing.weight is Weight.DIFFERENCE


@pytest.mark.parametrize("path", [{"empty": True}, {"kind": "nothing"}])
def test_where_a_restore_is_about_to_overwrite_nothing_there_is_nothing_to_lose(path: dict[str, Any]) -> None:
    assert only(judge_web_volume(WEB, web_seen(path=path), may_be_missing=True)).weight is Weight.NOTE


@pytest.mark.parametrize(
    ("disk", "weight"),
    [
        (Disk("xvdf", ""), None),
        (Disk("xvdf1", ""), None),
        (Disk("xvdj", ""), Weight.NOT_LOOKED_AT),
        (Disk("nvme1n1", ""), Weight.NOT_LOOKED_AT),
        (Disk("nvme1n1", "vol00000001_00000001."), None),
        (Disk("nvme1n1", "VOL00000001"), None),
        (Disk("nvme1n1", "Amazon_Elastic_Block_Store_vol00000001"), None),
        (Disk("nvme1n1", "Amazon Elastic Block Store_vol00000009"), Weight.DIFFERENCE),
        (Disk("sdb", "6000c2930e"), Weight.NOT_LOOKED_AT),
        (Disk("nvme1n1", "vol000000010"), Weight.DIFFERENCE),
        (Disk("nvme1n1", "AWS1234567890"), Weight.DIFFERENCE),
    ],
)
def test_a_disk_is_known_by_its_serial_number_and_on_xen_by_its_name(disk: Disk, weight: Weight | None) -> None:
    found = judge_web_volume(WEB, web_seen(mount={"disks": (disk,)}))
    assert [one.weight for one in found] == ([weight] if weight else [])


def test_a_file_system_that_hides_its_disks_is_not_looked_at() -> None:
    found = only(judge_web_volume(WEB, web_seen(mount={"disks": (), "filesystem": "zfs", "source": "tank/acme"})))
    assert found.weight is Weight.NOT_LOOKED_AT


def test_files_of_the_database_that_lie_elsewhere_are_a_difference() -> None:
    found = only(judge_database_volume(DATABASE, database_seen(), ("/data/shop.mdf", "/logs/shop_log.ldf")))
    assert (found.weight, found.fact) == (
        Weight.DIFFERENCE,
        "files of database shop_acme lie elsewhere: /logs/shop_log.ldf",
    )


def test_a_folder_below_the_mount_that_leads_elsewhere_is_a_difference() -> None:
    facts = database_seen(**{"/log": on_root_disk("/var/log/sql")})
    found = only(judge_database_volume(DATABASE, facts, FILES))
    assert "/data/log on i-000000db lies on volume vol-0f (it is really /var/log/sql)" in found.fact


def test_a_file_on_another_host_is_a_difference() -> None:
    found = only(judge_database_volume(DATABASE, database_seen(**{"/log": PlaceFacts("nothing")}), FILES))
    assert (found.weight, found.register) == (Weight.DIFFERENCE, "database.instance is i-000000db")


def test_a_mount_that_the_register_leaves_out_is_named_and_what_can_be_seen_is_judged() -> None:
    database = DATABASE.model_copy(update={"mount": None})
    assert folders_to_look_at(database, FILES) == {"/data", "/data/log"}
    assert only(judge_database_volume(database, database_seen(), FILES)).weight is Weight.NOTE
    found = judge_database_volume(database, database_seen(**{"/log": on_root_disk("/data/log")}), FILES)
    assert [one.weight for one in found] == [Weight.NOTE, Weight.DIFFERENCE]


@pytest.mark.parametrize(("files", "silent"), [(None, "SQL Server error 20009: unable to connect"), ((), "")])
def test_a_server_that_names_no_files_leaves_the_volume_not_looked_at(files: Any, silent: str) -> None:
    found = only(judge_database_volume(DATABASE, database_seen(), files, silent=silent))
    assert (found.weight, silent in found.fact) == (Weight.NOT_LOOKED_AT, True)


def test_windows_is_compared_without_regard_to_case() -> None:
    database = DATABASE.model_copy(update={"mount": "d:\\Data"})
    files = ("D:\\DATA\\shop.mdf", "D:\\Data\\Logs\\shop.ldf")
    places = {
        folder: place(DATABASE.volume, "D:\\data\\", real)
        for folder, real in (("d:\\Data", "d:\\Data"), ("D:\\DATA", "D:\\DATA"), ("D:\\Data\\Logs", "D:\\Data\\Logs"))
    }
    assert folders_to_look_at(database, files) == set(places)
    assert judge_database_volume(database, seen(database, places), files) == ()
