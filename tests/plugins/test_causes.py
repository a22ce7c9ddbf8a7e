"""Why a run has failed: whatever step it was and however it failed, the end says it, and so does the vault."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from itertools import count, cycle

import pytest

from include.rules.errors import PartError, UnavailableError
from include.rules.points.transitions import State
from include.rules.restore.record import RestoreState
from perennial.hooks.vault.backup_files import point_prefix
from perennial.retention import steps as retention_steps
from perennial.steps.trigger import reason_of
from tests.support.restores import assert_nothing_is_left, backed_up, record
from tests.support.retention import NOW, Stock
from tests.support.retention_runs import ClockAtNow
from tests.support.runs import CAUSE, SAYS, Run, Way, steps_of
from tests.support.steps import TODAY, restore_form
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

ENDS = ("preview", "open", "close")
"""Steps whose own task is the last one that speaks: before them there is nothing to write into, after them nobody."""


def breaks(dag_id: str, some: Iterable[str] | None) -> list[tuple[str, Way]]:
    """Which step is to fail, and in which way.

    Args:
        some: The steps, each in the next of all ways; None for every step, in each of the first three.
    """
    if some is None:
        return [(step.task_id, way) for step in steps_of(dag_id) for way in (Way.KILL, Way.DEADLINE, Way.ERROR)]
    return list(zip(some, cycle(Way), strict=False))


def every_break(
    new_run: Callable[[int], Run], some: Iterable[str] | None, check: Callable[[Run, str, Way], None]
) -> None:
    """Break a new run in each way, and check what it says at its end; what did not stop the step is no case."""
    new_runs = map(new_run, count())
    healthy = next(new_runs)
    assert set(healthy.carry_on().values()) == {"success"}
    cases, stopped = breaks(healthy.dag_id, some), 0
    for step, way in cases:
        run = broken_in_its_midst(new_runs, step, way, healthy.middle(step))
        if run.states[step] == "failed":
            stopped += 1
            last_word = run.failure(step) if step in ENDS else said_by_close(run)
            assert (step in ENDS and way is Way.KILL) or SAYS[way] in last_word
            check(run, step, way)
    assert stopped > 0.8 * len(cases)


def broken_in_its_midst(new_runs: Iterator[Run], step: str, way: Way, middle: int) -> Run:
    """A run of which a step was broken.

    Args:
        middle: The suspension at which an earlier run was in the midst of it. A step that waits for a host asks it the
            more often the slower it is, so that another run may end before: the next one is then broken earlier, at
            its first suspension at the earliest, which a step that waits for nothing has not.
    """
    for run in new_runs:
        run.carry_on(broken=step, way=way, at=middle)
        if run.suspensions[step] >= middle or middle == 1:
            return run
        middle = run.middle(step)
    raise AssertionError("there are always more runs")


def said_by_close(run: Run) -> str:
    """What `close` has failed with, or has said of a step that it has mended."""
    return run.failure("close") or str(run.xcoms["close"]["return_value"]["went_wrong"])


def assert_says(text: str | None, step: str, way: Way) -> None:
    """The text names the step, and what it has failed with right after it."""
    first_cause = (text or "").partition(f"`{step}` failed: ")[2].partition(" After that ")[0]
    assert SAYS[way] in first_cause, text


@pytest.mark.parametrize(
    "every", [pytest.param(True, id="every", marks=pytest.mark.sweep), pytest.param(False, id="some")]
)
def test_every_step_of_a_backup_that_fails_is_named_at_the_end_with_its_reason(world: World, every: bool) -> None:
    def new_run(number: int) -> Run:
        request = f"acme|daily|{date(2026, 1, 1) + timedelta(days=number)}"
        return Run("tenant_backup", f"run-{number}", world.runner, {"request": request, "note": ""})

    def check(run: Run, step: str, way: Way) -> None:
        request = run.fields["request"]
        assert (run.states["close"] == "upstream_failed") is (step == "open")
        if step not in ENDS:
            for text in (run.failure("close"), world.manifest(request).failure):
                assert_says(text, step, way)
            assert world.manifest(request).state in (State.FAILED, State.PENDING)
            assert world.lease("acme").owner is None
        assert set(run.carry_on(first="open").values()) == {"success"}
        manifest = world.manifest(request)
        assert (manifest.state, manifest.failure, manifest.failures) == (State.VERIFIED, None, ())

    every_break(new_run, None if every else [step.task_id for step in steps_of("tenant_backup")], check)


@pytest.mark.parametrize(
    "every", [pytest.param(True, id="every", marks=pytest.mark.sweep), pytest.param(False, id="some")]
)
def test_every_step_of_a_restore_that_fails_is_named_at_the_end_with_its_reason(backed_up: World, every: bool) -> None:
    def new_run(number: int) -> Run:
        fields = restore_form(moment=f"2026-11-24T{number // 60:02d}:{number % 60:02d}:00Z")
        return Run("restore", f"restore-{number}", backed_up.runner, fields)

    def check(run: Run, step: str, way: Way) -> None:
        moment = run.fields["moment"]
        if step not in ENDS:
            ended = record(backed_up, moment=moment)
            if ended.state is RestoreState.DONE:  # all is back and checked, and `close` has done what the step had to
                assert_says(said_by_close(run), step, way)
            else:
                assert_says(run.failure("close"), step, way)
                assert ended.failures[0].step == step
                assert_says(ended.failure, step, way)
            assert backed_up.lease("acme").owner is None
        if step in ENDS or record(backed_up, moment=moment).state is not RestoreState.DONE:
            # A site that is online again is not restored once more: what `close` has left, `close` alone does.
            first = step if step in ("preview", "close") else "open"
            assert set(run.carry_on(first=first).values()) == {"success"}
        assert record(backed_up, moment=moment).failure is None
        assert_nothing_is_left(backed_up)

    every_break(new_run, None if every else ["copy_files", "restore_database"], check)


@pytest.mark.parametrize("step", ["bring_site_online", "remove_volumes"])
def test_what_close_has_mended_is_said_all_the_same(backed_up: World, step: str) -> None:
    run = Run("restore", "restore-1", backed_up.runner, restore_form())
    states = run.carry_on(broken=step, way=Way.ERROR, at=1)
    assert (states[step], states["close"]) == ("failed", "success")
    assert_says(run.xcoms["close"]["return_value"]["went_wrong"], step, Way.ERROR)
    assert record(backed_up).state is RestoreState.DONE
    assert_nothing_is_left(backed_up)


def test_a_failure_that_the_vault_did_not_take_is_written_by_close(world: World) -> None:
    run = Run("tenant_backup", "run-1", world.runner, {"request": TODAY, "note": ""})
    run.carry_on(last="open")
    with world.vault_away("s3:PutObject", match="manifest.json"):
        run.carry_on(first="snapshot_web_volume", last="snapshot_web_volume", broken="snapshot_web_volume", at=1)
    assert world.manifest(TODAY).failures == ()
    run.carry_on(first="snapshot_db_volume")
    assert_says(run.failure("close"), "snapshot_web_volume", Way.ERROR)
    assert_says(world.manifest(TODAY).failure, "snapshot_web_volume", Way.ERROR)


def test_a_step_that_left_no_word_is_named_with_what_is_known(world: World) -> None:
    """Its triggerer was gone when a person marked it: nobody wrote anything."""
    run = Run("tenant_backup", "run-1", world.runner, {"request": TODAY, "note": ""})
    run.carry_on(last="snapshot_db_volume")
    run.states["backup_database"] = "failed"
    run.carry_on(first="verify")
    assert_says(run.failure("close"), "backup_database", Way.KILL)
    assert_says(world.manifest(TODAY).failure, "backup_database", Way.KILL)


def test_a_close_that_fails_itself_names_the_first_cause_too(world: World) -> None:
    run = Run("tenant_backup", "run-1", world.runner, {"request": TODAY, "note": ""})
    run.carry_on(last="verify", broken="backup_database", way=Way.BUG, at=1)
    with world.vault_away("s3:*"):
        run.carry_on(first="close")
    assert run.failure("close").startswith("The vault could not be read")
    assert f"Before that `backup_database` failed: {SAYS[Way.BUG]}" in run.failure("close")
    run.carry_on(first="close")
    assert_says(run.failure("close"), "backup_database", Way.BUG)
    assert "`close`" not in str(world.manifest(TODAY).failure)


def test_a_lost_lease_is_named_by_the_run_that_lost_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_LEASE_SECONDS", "0.01")
    run = Run("tenant_backup", "run-1", world.runner, {"request": TODAY, "note": ""})
    run.carry_on(last="open")
    monkeypatch.delenv("PERENNIAL_LEASE_SECONDS")
    other = Run("tenant_backup", "run-2", world.runner, {"request": "acme|daily|2026-11-24", "note": ""})
    assert set(other.carry_on().values()) == {"success"}
    run.carry_on(first="snapshot_web_volume")
    lost = "This run no longer holds the lease of tenant acme; it is with nobody."
    assert f"`snapshot_web_volume` failed: {lost}" in run.failure("close")
    manifest = world.manifest(TODAY)
    assert (manifest.state, world.lease("acme").owner) == (State.FAILED, None)
    assert str(manifest.failure).startswith(f"`snapshot_web_volume` failed: {lost}")


def test_a_second_failure_comes_after_the_first(backed_up: World) -> None:
    run = Run("restore", "restore-1", backed_up.runner, restore_form())
    run.carry_on(last="check", broken="copy_files", way=Way.ERROR, at=1)
    run.carry_on(first="remove_volumes", broken="remove_volumes", way=Way.BUG, at=1)
    first, second = record(backed_up).failures
    assert (first.step, second.step) == ("copy_files", "remove_volumes")
    assert f"`copy_files` failed: {CAUSE} After that `remove_volumes` failed: ZeroDivisionError" in run.failure("close")


def is_expiring(stock: Stock, tenant: str, point_id: str) -> bool:
    """Whether a point's manifest says so at this moment; it does not wait, so that a step can be broken by it."""
    place = stock.vault.documents
    key = f"{place.prefix}{point_prefix(tenant, point_id)}manifest.json"
    body = stock.s3.get_object(Bucket=place.bucket, Key=key)["Body"].read()
    return bool(json.loads(body)["state"] == State.EXPIRING)


def test_a_run_of_retention_that_fails_says_what_was_done_until_then(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_steps, "datetime", ClockAtNow)
    cases = [(step.task_id, way) for step in steps_of("retention") for way in (Way.KILL, Way.DEADLINE, Way.ERROR)]
    tenants = ["healthy", *(f"tenant-{number}" for number in range(len(cases)))]
    stock.register(*tenants, daily=1, weekly=0, monthly=0, yearly=0)
    runs = {}
    for tenant in tenants:
        stock.add_daily(NOW, 4, tenant=tenant)
        runs[tenant] = Run("retention", tenant, stock.runner, {"tenant": tenant, "only_report": "False"})
    healthy = runs.pop("healthy")
    assert healthy.carry_on() == {"preview": "success", "carry_out": "success"}
    marked = healthy.xcoms["carry_out"]["return_value"]["marked"]
    assert len(marked) == 3
    for (tenant, run), (step, way) in zip(runs.items(), cases, strict=True):
        # By then the first of three points has been marked, and the answer about the second may be under way.
        second = partial(is_expiring, stock, tenant, marked[1].replace("healthy", tenant))
        assert run.carry_on(broken=step, way=way, at=second if step == "carry_out" else 1)[step] == "failed"
        if way is not Way.KILL:
            assert run.failure(step).startswith(SAYS[way])
            told = re.search(r" Until then: 1 kept, [12] marked\.", run.failure(step))
            assert bool(told) is (step == "carry_out"), run.failure(step)
        assert set(run.carry_on().values()) == {"success"}
        assert len(stock.run(stock.vault.manifests(tenant))) == 4
        assert [m.state for m in stock.run(stock.vault.manifests(tenant))].count(State.EXPIRING) == len(marked)


def test_what_fails_while_an_error_is_dealt_with_comes_after_that_error() -> None:
    def masked() -> None:
        try:
            raise PartError("The copy has broken off.")
        finally:
            raise UnavailableError("The vault could not be written.")

    with pytest.raises(UnavailableError) as caught:
        masked()
    assert reason_of(caught.value) == "The copy has broken off. After that: The vault could not be written."
    with pytest.raises(UnavailableError) as caught, suppress(KeyError):
        raise UnavailableError("It says why itself.") from PartError("The copy has broken off.")
    assert reason_of(caught.value) == "It says why itself."
