"""What a server would refuse, or could not hold, is refused by the plan; what nobody could find out is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.rules.errors import RefusedError
from include.rules.points.backup_files import DatabaseFile, FileType
from include.rules.points.manifest import Manifest
from include.rules.restore.database_obstacles import check_obstacles, describe_unknowns
from include.rules.restore.database_places import Folders
from include.rules.restore.database_survey import (
    BackedUpFile,
    BackupFacts,
    DatabaseSurvey,
    DatabaseTies,
    Need,
    ServerLimits,
)
from include.rules.restore.request import DatabaseSource
from tests.unit.builders import tenant, verified

BAK, SNAPSHOT = DatabaseSource.BACKUP_FILE, DatabaseSource.SNAPSHOT
GIB = 2**30

SERVER = ServerLimits((Folders("D:\\data\\", "L:\\log\\"), Folders("C:\\sql", "C:\\sql")), "16.0.4175.1", 957, 3)
STANDING = (
    DatabaseFile(logical_name="shop", physical_path="E:\\shop.mdf", type=FileType.ROWS, size_bytes=6 * GIB),
    DatabaseFile(logical_name="shop_log", physical_path="L:\\log\\shop.ldf", type=FileType.LOG, size_bytes=GIB),
)
BACKUP = BackupFacts(
    "16.0.4100",
    957,
    (BackedUpFile("shop", "X:\\a.mdf", "D", 8 * GIB), BackedUpFile("shop_log", "X:\\a.ldf", "L", 2 * GIB)),
)
FREE = {"C:\\": 90 * GIB, "D:\\": 10 * GIB, "E:\\": 3 * GIB, "L:\\": 2 * GIB}
FOUND = DatabaseSurvey("ONLINE", "MULTI_USER", 7 * GIB, STANDING, limits=SERVER, free_bytes=FREE, backup=BACKUP)
POINT = verified().model_copy(update={"database_files": STANDING})


def refusal(
    survey: DatabaseSurvey, source: DatabaseSource = BAK, *, replaces: bool = True, point: Manifest = POINT
) -> str:
    """Why it is refused; empty when it is not."""
    try:
        check_obstacles(survey, point, tenant(), "shop_acme", source, replaces=replaces)
    except RefusedError as error:
        return str(error)
    return ""


def found(**changes: Any) -> DatabaseSurvey:
    return replace(FOUND, **changes)


def unknowns(survey: DatabaseSurvey, source: DatabaseSource = BAK, *, replaces: bool = True) -> str:
    return " ".join(describe_unknowns(survey, POINT, "shop_acme", source, replaces=replaces))


@pytest.mark.parametrize("source", [BAK, SNAPSHOT])
@pytest.mark.parametrize("replaces", [True, False])
def test_nothing_is_in_the_way_of_most_restores(source: DatabaseSource, replaces: bool) -> None:
    survey = FOUND if replaces else found(state="", access="", files=())
    assert refusal(survey, source, replaces=replaces) == ""


@pytest.mark.parametrize("source", [BAK, SNAPSHOT])
@pytest.mark.parametrize(
    ("ties", "reason"),
    [
        (DatabaseTies(in_group=True), "is in an availability group"),
        (DatabaseTies(is_mirrored=True), "is mirrored"),
        (DatabaseTies(snapshots=("noon", "night")), r"database snapshots refer to shop_acme (noon, night)"),
    ],
)
def test_a_database_that_is_tied_down_is_refused_in_place_whatever_it_comes_from(
    source: DatabaseSource, ties: DatabaseTies, reason: str
) -> None:
    assert reason in refusal(found(ties=ties), source)
    assert refusal(found(ties=ties, state=""), source) == ""


def test_a_published_database_can_be_restored_over_and_not_dropped() -> None:
    survey = found(ties=DatabaseTies(is_published=True))
    assert "is published and cannot be dropped" in refusal(survey, SNAPSHOT)
    assert refusal(survey) == ""
    assert "its replication ends with the restore" in unknowns(survey)


@pytest.mark.parametrize(
    ("lacks", "source", "survey", "is_refused"),
    [
        (Need.RESTORE_OVER, BAK, FOUND, True),
        (Need.RESTORE_OVER, SNAPSHOT, FOUND, False),
        (Need.RESTORE_OVER, BAK, found(state=""), False),
        (Need.CREATE, BAK, FOUND, False),
        (Need.CREATE, BAK, found(state=""), True),
        (Need.CREATE, SNAPSHOT, FOUND, True),
        (Need.REPLACE, SNAPSHOT, FOUND, True),
        (Need.REPLACE, SNAPSHOT, found(state=""), False),
        (Need.PUT_OUT, BAK, FOUND, False),
        (Need.PUT_OUT, BAK, found(access="SINGLE_USER"), True),
        (Need.PUT_OUT, SNAPSHOT, found(access="SINGLE_USER"), True),
    ],
)
def test_each_way_asks_for_the_rights_that_it_uses(
    lacks: Need, source: DatabaseSource, survey: DatabaseSurvey, is_refused: bool
) -> None:
    message = refusal(replace(survey, lacks={lacks: "GRANT x TO <login>"}), source)
    assert (f"the connection's login may not {lacks}" in message and "Run GRANT x TO <login>." in message) == is_refused


def test_a_restore_beside_needs_no_more_than_the_right_to_make_a_database() -> None:
    lacks = {need: "x" for need in Need if need is not Need.CREATE}
    for source in DatabaseSource:
        assert refusal(found(state="", access="", files=(), lacks=lacks), source, replaces=False) == ""


@pytest.mark.parametrize(
    ("backup", "limits", "reason"),
    [
        (
            replace(BACKUP, version="17.0.1", database_version=998),
            SERVER,
            "made by SQL Server 17.0.1, this one is 16.0",
        ),
        (replace(BACKUP, database_version=998), replace(SERVER, database_version=0), ""),
        (replace(BACKUP, database_version=904), SERVER, ""),
        (BACKUP, replace(SERVER, edition=4), ""),
        (
            replace(BACKUP, files=(BackedUpFile("shop", "x", "D", 11 * GIB),)),
            replace(SERVER, edition=4),
            "this server's edition (Express) holds 10,737,418,240",
        ),
        (
            replace(BACKUP, files=(BackedUpFile("shop", "x", "D", 9 * GIB), BackedUpFile("log", "x", "L", GIB))),
            replace(SERVER, edition=4, version="17.0.900.7"),
            "",
        ),
        (
            replace(BACKUP, files=(*BACKUP.files, BackedUpFile("docs", "D:\\docs", "S", 1))),
            replace(SERVER, takes_filestream=False, takes_memory_optimised=False),
            "has FILESTREAM or memory-optimised data, and this server takes neither",
        ),
    ],
)
def test_a_bak_that_this_server_cannot_take_is_refused(backup: BackupFacts, limits: ServerLimits, reason: str) -> None:
    message = refusal(found(backup=backup, limits=limits, free_bytes=None))
    assert (reason in message) if reason else message == ""


def test_an_edition_that_limits_databases_takes_no_larger_one_from_a_snapshot_either() -> None:
    survey = found(limits=replace(SERVER, edition=4), free_bytes=None)
    larger = STANDING[0].model_copy(update={"size_bytes": 11 * GIB})
    point = POINT.model_copy(update={"database_files": (larger, STANDING[1])})
    assert refusal(survey, SNAPSHOT) == ""
    assert "its data files have 11,811,160,064 bytes" in refusal(survey, SNAPSHOT, point=point)


def test_a_container_that_may_be_either_kind_is_said() -> None:
    backup = replace(BACKUP, files=(*BACKUP.files, BackedUpFile("docs", "D:\\docs", "S", 1)))
    survey = found(backup=backup, limits=replace(SERVER, takes_filestream=False))
    assert refusal(survey) == ""
    assert "FILESTREAM is off here" in unknowns(survey)


def test_room_is_what_is_free_and_what_the_overwritten_files_take() -> None:
    assert refusal(found(free_bytes={**FREE, "E:\\": 2 * GIB, "L:\\": GIB})) == ""
    message = refusal(found(free_bytes={**FREE, "E:\\": 2 * GIB - 1}))
    assert "the database needs 2,147,483,648 more bytes on E:\\, and 2,147,483,647 are free" in message


def test_files_beside_those_that_stand_need_all_their_room() -> None:
    too_small = {**FREE, "D:\\": 7 * GIB}
    beside = found(state="", access="", files=(), free_bytes=too_small)
    assert "needs 8,589,934,592 more bytes on D:\\" in refusal(beside, replaces=False)
    assert refusal(found(free_bytes=too_small)) == ""
    from_snapshot = found(free_bytes={**FREE, "D:\\": 5 * GIB})
    assert "needs 6,442,450,944 more bytes on D:\\" in refusal(from_snapshot, SNAPSHOT)


def test_a_file_whose_folder_is_gone_needs_its_room_elsewhere_and_the_preview_names_the_place() -> None:
    survey = found(gone=frozenset({"E:\\"}))
    assert refusal(survey) == ""
    assert "The folder of E:\\shop.mdf is gone: the file will lie in D:\\data\\acme_shop.mdf." in unknowns(survey)
    assert "more bytes on D:\\" in refusal(replace(survey, free_bytes={**FREE, "D:\\": GIB}))


def test_a_folder_within_a_volume_that_is_mounted_in_another_has_that_volumes_room() -> None:
    limits = replace(SERVER, folders=(Folders("/sql/data", "/sql/data"),))
    survey = found(state="", files=(), limits=limits, free_bytes={"/": GIB, "/sql": 50 * GIB, "/sql/data2": 1})
    assert refusal(survey, replaces=False) == ""


@pytest.mark.parametrize(
    ("changes", "source", "reason"),
    [
        ({"free_bytes": None}, BAK, "the server does not say how much is free on its volumes"),
        ({"free_bytes": {"C:\\": 1}}, BAK, "how much is free where E:\\shop.mdf will lie"),
        ({"backup": None}, BAK, "nobody has noted how large"),
    ],
)
def test_room_that_nobody_knows_is_said_and_not_refused(
    changes: dict[str, Any], source: DatabaseSource, reason: str
) -> None:
    assert refusal(found(**changes), source) == ""
    assert reason in unknowns(found(**changes), source)


def test_a_manifest_of_before_has_no_sizes_and_its_room_is_unknown() -> None:
    old = tuple(file.model_copy(update={"size_bytes": None}) for file in STANDING)
    point = POINT.model_copy(update={"database_files": old})
    check_obstacles(FOUND, point, tenant(), "shop_acme", SNAPSHOT, replaces=True)
    sentences = describe_unknowns(FOUND, point, "shop_acme", SNAPSHOT, replaces=True)
    assert any("nobody has noted how large" in sentence for sentence in sentences)


def test_all_that_is_in_the_way_is_said_at_once() -> None:
    message = refusal(found(ties=DatabaseTies(in_group=True), lacks={Need.RESTORE_OVER: "X"}, free_bytes={"E:\\": 1}))
    assert "may not restore over" in message
    assert "availability group" in message
