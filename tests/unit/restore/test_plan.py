"""The plan of a restore: what is overwritten, what has to be approved, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from include.rules.errors import RefusedError
from include.rules.points.backup_files import DatabaseFile, FileType
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.register.tenants import Tenant
from include.rules.restore.host_paths import path_on_volume
from include.rules.restore.host_survey import FolderFacts
from include.rules.restore.plan import RestorePlan, plan_restore
from include.rules.restore.preview import preview
from include.rules.restore.request import DatabaseSource, RestoreRequest
from include.rules.restore.survey import Survey
from tests.unit.builders import NOW, surveyed, tenant, tenant_entry, verified

FULL = FolderFacts(exists=True, empty=False, files=3, bytes=100, free_bytes=10**9)
ABSENT = FolderFacts(exists=False, empty=True, files=0, bytes=0, free_bytes=10**9)
STANDING = surveyed(folder=FULL, state="ONLINE", bytes=8192)
BETTER = "The nearest verified one is another."


def point(mount: str | None = "/data") -> Manifest:
    entry = tenant_entry()
    source = tenant(database={**entry["database"], "mount": mount})
    files = (DatabaseFile(logical_name="shop", physical_path="/data/db/shop.mdf", type=FileType.ROWS),)
    return verified().model_copy(update={"source": source, "database_files": files})


def with_container() -> Manifest:
    files = point().database_files
    container = DatabaseFile(logical_name="docs", physical_path="/data/docs", type=FileType.FILESTREAM)
    return point().model_copy(update={"database_files": (*files, container)})


def plan(
    survey: Survey = STANDING, at: Manifest | None = None, target: Tenant | None = None, **form: Any
) -> RestorePlan:
    confirm = form.get("into_tenant") or "acme"
    restore_request = RestoreRequest.parse(json.dumps({"tenant": "acme", "confirm": confirm, **form}), NOW.isoformat())
    others = {"acme": tenant(), "globex": tenant("globex")}
    return plan_restore(
        restore_request, at or point(), target or others[restore_request.target], survey, others, BETTER
    )


def test_in_place_both_halves_are_overwritten_and_nobody_has_to_approve() -> None:
    restore_plan = plan()
    assert (restore_plan.replaces_files, restore_plan.replaces_database, restore_plan.approvals) == (True, True, ())
    assert (restore_plan.folder, restore_plan.database) == ("/srv/acme/site", "shop_acme")
    assert restore_plan.snapshots == (SnapshotRole.WEB,)


def test_one_half_leaves_the_other_alone() -> None:
    files, database = plan(what="files"), plan(what="database")
    assert (files.database, files.replaces_database) == (None, False)
    assert (database.folder, database.replaces_files, database.snapshots) == (None, False, ())


def test_elsewhere_nothing_is_overwritten() -> None:
    restore_plan = plan(surveyed(folder=ABSENT), folder="/srv/new/site", database="shop_copy")
    assert not restore_plan.overwrites
    assert (restore_plan.folder, restore_plan.database) == ("/srv/new/site", "shop_copy")


def test_another_tenants_place_is_overwritten_only_with_an_approval() -> None:
    restore_plan = plan(into_tenant="globex")
    assert restore_plan.overwrites
    assert restore_plan.target.id == "globex"
    assert restore_plan.approvals == ("what belongs to tenant acme goes into the place of tenant globex",)


def test_the_request_and_the_plan_can_ask_for_an_approval() -> None:
    careful = tenant(plan={**tenant().plan.model_dump(), "restore_approval": True})
    assert plan(approval=True).approvals == ("the request asks for it",)
    assert plan(target=careful).approvals == ("the plan standard asks for it",)


def test_a_backup_file_that_cannot_be_read_is_replaced_by_the_snapshot_if_somebody_approves() -> None:
    restore_plan = plan(surveyed(folder=FULL, state="ONLINE", backup_file="the .bak is damaged"))
    assert restore_plan.database_from is DatabaseSource.SNAPSHOT
    assert restore_plan.snapshots == (SnapshotRole.WEB, SnapshotRole.DATABASE)
    assert "the .bak is damaged; the snapshot of the database volume stands in" in restore_plan.approvals[0]
    assert "crash-consistent" in restore_plan.approvals[0]


def test_the_snapshot_can_be_asked_for_without_an_approval() -> None:
    restore_plan = plan(database_from="snapshot")
    assert (restore_plan.database_from, restore_plan.approvals) == (DatabaseSource.SNAPSHOT, ())


@pytest.mark.parametrize(
    ("at", "snapshots", "reason"),
    [
        (point(mount=None), {}, "did not say where the database volume shows"),
        (point(mount="/other"), {}, "does not lie on the database volume"),
        (point().model_copy(update={"database_files": ()}), {}, "nobody has noted where the database's files lie"),
        (with_container(), {}, r"/data/docs is a folder \(FILESTREAM or memory-optimised data\)"),
        (point(), {SnapshotRole.DATABASE: "snapshot snap-1 is gone"}, "snapshot snap-1 is gone"),
    ],
)
def test_where_neither_way_leads_back_it_is_refused_and_another_point_named(
    at: Manifest, snapshots: dict[SnapshotRole, str], reason: str
) -> None:
    broken = surveyed(folder=FULL, backup_file="the .bak is missing", snapshots=snapshots)
    with pytest.raises(RefusedError, match=rf"the \.bak is missing.*{reason}.*{BETTER}"):
        plan(broken, at=at)
    with pytest.raises(RefusedError, match=reason):
        plan(surveyed(folder=FULL, snapshots=snapshots), at=at, database_from="snapshot")


@pytest.mark.parametrize(
    ("form", "survey", "reason"),
    [
        ({"folder": "/srv/acme/site/old"}, surveyed(folder=ABSENT), "overlaps /srv/acme/site, where tenant acme lives"),
        ({"folder": "/srv/acme"}, surveyed(folder=ABSENT), "overlaps /srv/acme/site"),
        ({"folder": "/srv/globex/site"}, surveyed(folder=ABSENT), "where tenant globex lives"),
        ({"folder": "/srv/new/site"}, surveyed(folder=FULL), "is not empty"),
        ({"what": "database", "database": "SHOP_ACME"}, STANDING, "is the database of tenant acme"),
        ({"what": "database", "database": "shop_globex"}, STANDING, "is the database of tenant globex"),
        ({"what": "database", "database": "taken"}, STANDING, "There is a database taken .* already"),
        ({}, surveyed(snapshots={SnapshotRole.WEB: "snapshot snap-9 is gone"}), "the files cannot come back: .*snap-9"),
    ],
)
def test_what_would_overwrite_something_else_is_refused(form: dict[str, Any], survey: Survey, reason: str) -> None:
    # All tenants of these tests live on one host.
    entry = tenant_entry("globex")
    target = tenant(web={**tenant_entry()["web"], "instance": entry["web"]["instance"]})
    with pytest.raises(RefusedError, match=reason) as caught:
        plan(survey, target=target, **form)
    assert "othing was restored." in str(caught.value)


def test_a_new_folder_is_named_as_its_host_writes_it() -> None:
    with pytest.raises(RefusedError, match=r"C:\\back is no path of i-00000001, which runs linux"):
        plan(surveyed(folder=ABSENT), folder="C:\\back")


def test_what_is_no_folder_is_not_overwritten() -> None:
    with pytest.raises(RefusedError, match="/srv/new on i-00000001 is no folder"):
        plan(surveyed(folder=replace(ABSENT, no_folder=True)), what="files", folder="/srv/new")


def test_no_folder_is_made_on_a_full_disk() -> None:
    with pytest.raises(RefusedError, match="the disk of /srv/new on i-00000001 is full"):
        plan(surveyed(folder=replace(ABSENT, free_bytes=0)), what="files", folder="/srv/new")


@pytest.mark.parametrize("paths", [[], ["uploads"], ["index.html", "uploads/2026"]])
def test_a_disk_that_is_mounted_into_what_is_overwritten_is_not_emptied(paths: list[str]) -> None:
    with_disk = surveyed(folder=replace(FULL, mounts=("uploads/2026",)))
    with pytest.raises(RefusedError, match="another disk is mounted on uploads/2026 in /srv/acme/site"):
        plan(with_disk, what="files", paths=paths)
    assert plan(with_disk, what="files", paths=["uploads/2025"]).paths == ("uploads/2025",)


def test_a_link_does_not_lead_a_restore_into_a_place_that_is_taken() -> None:
    entry = tenant_entry("globex")
    target = tenant(web={**tenant_entry()["web"], "instance": entry["web"]["instance"]})
    with pytest.raises(RefusedError, match=r"/srv/acme/site leads to /srv/globex/site/x, .* tenant globex lives"):
        plan(surveyed(folder=replace(FULL, real="/srv/globex/site/x")), target=target, what="files")
    with pytest.raises(RefusedError, match=r"/srv/new leads to /srv/acme/site/new, .* tenant acme lives"):
        plan(surveyed(folder=replace(ABSENT, real="/srv/acme/site/new")), what="files", folder="/srv/new")


def test_a_backslash_parts_folders_on_windows_and_is_a_character_on_linux() -> None:
    assert plan(what="files", paths=["a\\b.txt"]).paths == ("a\\b.txt",)
    windows = {**tenant_entry()["web"], "platform": "windows", "mount": "D:\\", "path": "D:\\sites\\acme"}
    target = tenant(web=windows)
    at = point().model_copy(update={"source": target})
    assert plan(at=at, target=target, what="files", paths=["a\\b.txt"]).paths == ("a/b.txt",)


def test_files_of_one_platform_do_not_go_to_a_host_of_another() -> None:
    web = {**tenant_entry()["web"], "platform": "windows"}
    with pytest.raises(RefusedError, match="its files are from a linux host, and i-00000001 runs windows"):
        plan(target=tenant(web=web))


@pytest.mark.parametrize(
    ("path", "mount", "expected"),
    [
        ("/var/opt/mssql/data/a.mdf", "/var/opt/mssql", "data/a.mdf"),
        ("D:\\data\\a.mdf", "D:\\", "data/a.mdf"),
        ("d:\\DATA\\a.mdf", "D:\\data", "a.mdf"),
    ],
)
def test_a_database_file_is_found_on_its_volume(path: str, mount: str, expected: str) -> None:
    database = tenant(database={**tenant_entry()["database"], "mount": mount}).database
    assert path_on_volume(DatabaseFile(logical_name="a", physical_path=path, type=FileType.ROWS), database) == expected


MDF = (DatabaseFile(logical_name="shop", physical_path="/data/db/shop.mdf", type=FileType.ROWS),)


@pytest.mark.parametrize(
    ("state", "mount", "files", "why"),
    [
        ("ONLINE", None, (), ""),
        ("", None, (), ""),
        ("OFFLINE", "/data", MDF, ""),
        ("SUSPECT", "/data", MDF, ""),
        ("RESTORING", "/data", MDF, "it is RESTORING, so that it can neither be backed up nor be attached"),
        ("OFFLINE", None, MDF, "database.mount"),
        ("OFFLINE", "/data", (), "nobody has noted where"),
        ("OFFLINE", "/other", MDF, "/data/db/shop.mdf does not lie on the database volume"),
    ],
)
def test_a_database_that_nothing_can_bring_back_is_overwritten_only_once_approved(
    state: str, mount: str | None, files: tuple[DatabaseFile, ...], why: str
) -> None:
    target = tenant(database={**tenant_entry()["database"], "mount": mount})
    restore_plan = plan(surveyed(folder=FULL, state=state, files=files), target=target)
    assert why in restore_plan.why_unsavable
    assert bool(restore_plan.why_unsavable) == bool(why) == bool(restore_plan.approvals)


def test_a_database_that_is_not_overwritten_needs_no_keeping() -> None:
    assert plan(surveyed(folder=FULL, state="RESTORING"), what="files").approvals == ()


def test_a_preview_of_an_overwritten_database_says_to_stop_what_writes_to_it_past_the_site() -> None:
    warning = "Stop jobs and workers that write to the database"
    assert warning in preview(plan(), point(), STANDING, [], NOW)
    assert warning not in preview(plan(what="files"), point(), STANDING, [], NOW)
