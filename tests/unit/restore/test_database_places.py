"""Where the files of a restored database go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.rules.restore.database_places import (
    Folders,
    database_places,
    folders_to_try,
    named_after,
    off_all_drives,
    places_left,
)

FILES = [
    {"LogicalName": "shop", "PhysicalName": "D:\\data\\shop.mdf", "Type": "D"},
    {"LogicalName": "shop_2", "PhysicalName": "D:\\data\\shop_2.ndf", "Type": "D"},
    {"LogicalName": "shop_log", "PhysicalName": "D:\\logs\\shop_log.ldf", "Type": "L"},
]


def test_files_go_where_the_database_has_them_now() -> None:
    present = {"shop": "E:\\now\\shop.mdf", "shop_2": "E:\\now\\s2.ndf", "shop_log": "F:\\l.ldf"}
    assert database_places("shop", FILES, present, [], Folders("X:\\", "Y:\\")) == present


def test_files_of_a_database_that_is_not_there_go_to_the_servers_folders_under_its_own_name() -> None:
    assert database_places("copy", FILES, {}, [], Folders("/var/opt/mssql/data/", "/var/opt/mssql/log")) == {
        "shop": "/var/opt/mssql/data/copy_shop.mdf",
        "shop_2": "/var/opt/mssql/data/copy_shop_2.ndf",
        "shop_log": "/var/opt/mssql/log/copy_shop_log.ldf",
    }
    windows = database_places("copy", FILES, {}, [], Folders("D:\\data", "D:\\log\\"))
    assert windows["shop_log"] == "D:\\log\\copy_shop_log.ldf"


def test_a_file_that_is_taken_is_not_given_again_whatever_its_case() -> None:
    in_use = ["d:\\DATA\\Copy_Shop.mdf", "D:\\data\\copy_shop_2.mdf"]
    assert database_places("copy", FILES[:1], {}, in_use, Folders("D:\\data\\", "D:\\log\\")) == {
        "shop": "D:\\data\\copy_shop_3.mdf"
    }


def test_a_new_file_does_not_take_the_place_of_one_that_stays() -> None:
    present = {"shop_log": "/data/copy_shop.mdf"}
    places = database_places("copy", FILES, present, [], Folders("/data/", "/log/"))
    assert places["shop"] == "/data/copy_shop_2.mdf"


NAMES = st.text(min_size=1, max_size=128)


@given(NAMES, st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_no_two_files_share_a_place_and_none_leaves_its_folder(database: str, logical: list[str]) -> None:
    files = [{"LogicalName": name, "PhysicalName": "D:\\x\\y.ndf", "Type": "D"} for name in logical]
    places = database_places(database, files, {}, [], Folders("/data/", "/log/"))
    assert len({path.casefold() for path in places.values()}) == len(logical)
    for path in places.values():
        assert path.startswith("/data/")
        assert "/" not in path.removeprefix("/data/")
        assert len(path) < 200


@given(NAMES, st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_new_files_are_known_by_what_they_are_named_after(stem: str, logical: list[str]) -> None:
    files = [{"LogicalName": name, "PhysicalName": "D:\\x\\y.ndf", "Type": "D"} for name in logical]
    places = database_places(stem, files, {}, [], Folders("D:\\data\\", "D:\\data\\"))
    assert named_after(stem, places.values())


@pytest.mark.parametrize("paths", [[], ["/data/shop.mdf"], ["/data/copy_1_shop.mdf", "/data/shop_log.ldf"]])
def test_a_database_with_any_other_file_or_none_was_made_by_somebody_else(paths: list[str]) -> None:
    assert not named_after("copy_1", paths)


def test_a_file_whose_drive_is_gone_gets_a_new_place_and_the_others_keep_theirs() -> None:
    present = {"shop": "E:\\now\\shop.mdf", "shop_2": "F:\\now\\s2.ndf", "shop_log": "e:\\NOW\\l.ldf"}
    left = places_left(present, gone=["E:\\Now"])
    assert left == {"shop_2": "F:\\now\\s2.ndf"}
    places = database_places("acme_1", FILES, left, [], Folders("X:\\data\\", "X:\\log\\"))
    assert places == {
        "shop": "X:\\data\\acme_1_shop.mdf",
        "shop_2": "F:\\now\\s2.ndf",
        "shop_log": "X:\\log\\acme_1_shop_log.ldf",
    }


def test_new_files_go_where_the_servers_own_databases_lie_when_its_folders_are_gone() -> None:
    default, system = Folders("/gone/data/", "/log/"), Folders("/var/opt/mssql/data", "/var/opt/mssql/data")
    assert folders_to_try([default, system, system], gone=[]) == [default, system]
    assert folders_to_try([default, system], gone=["/gone/data"]) == [system, default]


@pytest.mark.parametrize(
    ("drives", "known", "gone"),
    [
        (["C:\\", "d:\\"], "C:\\sql", {"E:\\now"}),
        ([], "C:\\sql", set()),
        (["D:\\"], "C:\\sql", set()),  # a list that lacks a drive that is certainly there says nothing
        (["/"], "/var/opt/mssql/data", set()),
    ],
)
def test_a_drive_that_a_server_does_not_list_is_gone(drives: list[str], known: str, gone: set[str]) -> None:
    folders = ["D:\\data", "E:\\now", "\\\\share\\data", "/data"]
    assert off_all_drives(folders, drives, known) == gone
