"""Restores to another place: another folder, another database name, another tenant, chosen paths only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from include.rules.errors import RefusedError
from tests.support.restores import assert_nothing_is_left, backed_up, database, record, state, wreck
from tests.support.steps import RESTORE
from tests.support.trees import fingerprint
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab


def folder_beside(world: World) -> Path:
    return world.site("acme").parent / "brought-back" / "site"


def copied_rows(world: World, name: str) -> list[tuple[Any, ...]]:
    return world.sql.run("SELECT id, customer FROM dbo.orders ORDER BY id", database=name)


@pytest.mark.parametrize("what", ["files and database", "files", "database"])
def test_a_restore_beside_brings_back_the_same_and_overwrites_nothing(backed_up: World, what: str) -> None:
    files, rows = state(backed_up)
    wrecked, copy = wreck(backed_up), f"{database(backed_up)}_copy"
    form: dict[str, Any] = {"what": what}
    form |= {} if what == "database" else {"folder": str(folder_beside(backed_up))}
    form |= {} if what == "files" else {"database": copy}
    backed_up.restore(**form)
    assert state(backed_up) == wrecked
    if what != "database":
        assert fingerprint(folder_beside(backed_up)) == files
    if what != "files":
        assert copied_rows(backed_up, copy) == rows
    assert record(backed_up, **form).safety_point is None
    assert_nothing_is_left(backed_up)


@pytest.mark.parametrize("what", ["files and database", "files", "database"])
def test_another_tenants_place_gets_what_was_asked_for_and_keeps_the_rest(backed_up: World, what: str) -> None:
    backed_up.add_tenant("globex", rows=7)
    files, rows = state(backed_up)
    own = state(backed_up, "globex")
    form = {"into_tenant": "globex", "what": what}
    result = backed_up.run_restore_step(RESTORE[0], **form)
    assert result["approval"] == ["what belongs to tenant acme goes into the place of tenant globex"]
    for step in RESTORE[1:]:
        backed_up.run_restore_step(step, **form)
    now = state(backed_up, "globex")
    assert now == (own[0] if what == "database" else files, own[1] if what == "files" else rows)
    assert state(backed_up) == (files, rows)
    assert_nothing_is_left(backed_up, "globex")
    undo = {"tenant": "globex", "recovery_point": record(backed_up, **form).safety_point, "what": what}
    backed_up.restore(moment="2026-11-23T13:00:00Z", **undo)
    assert state(backed_up, "globex") == own


def test_two_tenants_restored_into_each_other_at_once_both_come_to_their_end(backed_up: World) -> None:
    backed_up.add_tenant("globex", rows=7)
    backed_up.back_up("globex|daily|2026-11-23")
    acme, globex = state(backed_up), state(backed_up, "globex")

    async def carry_out(run_id: str, **form: Any) -> None:
        for step in RESTORE:
            await backed_up.restore_step(step, run_id, **form).work_within_deadline()

    async def both() -> None:
        await asyncio.gather(
            carry_out("restore-1", tenant="acme", into_tenant="globex"),
            carry_out("restore-2", tenant="globex", into_tenant="acme"),
        )

    backed_up.runner.run(both())
    assert state(backed_up) == globex
    assert state(backed_up, "globex") == acme


def test_only_the_chosen_paths_come_back(backed_up: World) -> None:
    files, _ = state(backed_up)
    site = backed_up.site("acme")
    wrecked, rows = wreck(backed_up)
    backed_up.restore(what="files", paths=["large.bin", "bin"])
    now = fingerprint(site)
    brought_back = {path for path in files if path == "large.bin" or path.split("/")[0] == "bin"}
    assert {path: now[path] for path in brought_back} == {path: files[path] for path in brought_back}
    rest = {path for path in now if path not in brought_back and path != "."}
    assert {path: now[path] for path in rest} == {path: wrecked[path] for path in rest}
    assert backed_up.rows("acme") == rows


def test_a_chosen_path_that_the_snapshot_does_not_have_stops_it_before_anything_is_overwritten(
    backed_up: World,
) -> None:
    wrecked = wreck(backed_up)
    with pytest.raises(Exception, match=r"never-there\.txt"):
        backed_up.restore(what="files", paths=["large.bin", "never-there.txt"])
    with pytest.raises(Exception, match="nothing was overwritten"):
        backed_up.run_restore_step(RESTORE[-1], what="files", paths=["large.bin", "never-there.txt"])
    assert state(backed_up) == wrecked
    assert_nothing_is_left(backed_up)


def test_a_restore_beside_that_is_carried_out_again_goes_on_with_what_is_its_own(backed_up: World) -> None:
    files, rows = state(backed_up)
    form = {"folder": str(folder_beside(backed_up)), "database": f"{database(backed_up)}_copy"}
    for step in RESTORE[:-1]:
        backed_up.run_restore_step(step, **form)
    # The run dies before it closes, and is cleared from `open` on.
    for step in RESTORE[1:]:
        backed_up.run_restore_step(step, **form)
    assert fingerprint(folder_beside(backed_up)) == files
    assert copied_rows(backed_up, form["database"]) == rows
    assert_nothing_is_left(backed_up)


def test_a_name_that_is_taken_is_refused_and_what_is_there_stays(backed_up: World) -> None:
    name_in_use = f"{database(backed_up)}_taken"
    backed_up.sql.run(f"CREATE DATABASE [{name_in_use}]")
    with pytest.raises(RefusedError, match=f"There is a database {name_in_use}"):
        backed_up.restore(what="database", database=name_in_use)
    # Taken only after the preview has looked.
    free = f"{database(backed_up)}_free"
    form = {"what": "database", "database": free, "moment": "2026-11-23T13:00:00Z"}
    backed_up.run_restore_step(RESTORE[0], **form)
    backed_up.sql.run(f"CREATE DATABASE [{free}]")
    backed_up.sql.run("CREATE TABLE dbo.mine (id INT)", database=free)
    for _ in range(3):
        with pytest.raises(RefusedError, match="already"):
            backed_up.carry_out(RESTORE[1:], **form)
    assert backed_up.sql.run("SELECT COUNT(*) FROM dbo.mine", database=free) == [(0,)]
