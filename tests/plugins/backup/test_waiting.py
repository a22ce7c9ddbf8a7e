"""Waiting for many: the calls do not grow with those who wait, and no thread keeps a process alive."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from include.rules.errors import ConfigurationError, PartError, UnavailableError
from lab.testing.deadlines import within
from perennial.backup import snapshot_poller
from perennial.backup.daily import ConfirmDailyBackupsTrigger, ReportRegisterProblemsTrigger
from perennial.backup.snapshot_poller import SnapshotPoller
from perennial.hooks.asynchronous import run_in_thread
from perennial.hooks.aws import ebs_snapshots
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.ebs_items import Snapshot
from tests.support.triggers import trigger_of
from tests.support.waits import shorten
from tests.support.world import World

pytestmark = pytest.mark.lab

TODAY = "2026-11-23"


def test_one_call_asks_for_all_who_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = world.entries["acme"]["web"]["volume"]
    snapshot_ids = [world.cloud.make_snapshot(volume, completed=False) for _ in range(4)]
    poller = SnapshotPoller(world.vault.settings)
    calls: list[list[str]] = []
    ask = poller._ebs.snapshots

    async def counted(snapshot_ids: Iterable[str]) -> dict[str, Snapshot]:
        calls.append(sorted(snapshot_ids))
        return await ask(calls[-1])

    monkeypatch.setattr(poller._ebs, "snapshots", counted)

    async def all_of_them() -> list[Snapshot | None]:
        return list(await asyncio.gather(*(poller.wait_until_settled(snapshot) for snapshot in snapshot_ids * 5)))

    outcomes = world.runner.run(all_of_them())
    assert [snapshot.state for snapshot in outcomes if snapshot] == ["completed"] * 20
    assert calls[0] == sorted(snapshot_ids)
    assert len(calls) < 10


@pytest.mark.parametrize(("waiting", "page"), [(3, 200), (12, 200), (12, 5)])
def test_there_is_one_call_for_each_pause_however_many_wait(
    world: World, monkeypatch: pytest.MonkeyPatch, waiting: int, page: int
) -> None:
    """Of 3 ids one call shows all; 12 take four calls, at 4 a call, or one for each page of what is pending."""
    for module in (snapshot_poller, ebs_snapshots):
        monkeypatch.setattr(module, "IDS_PER_CALL", 4)
        monkeypatch.setattr(module, "ITEMS_PER_PAGE", page)
    settings = replace(world.vault.settings, poll=timedelta(seconds=0.2))
    tags = [{"Key": "perennial:vault", "Value": settings.vault}]
    volume = world.entries["acme"]["web"]["volume"]
    snapshot_ids = []
    for _ in range(waiting):
        snapshot_ids.append(world.cloud.make_snapshot(volume, completed=False))
        world.cloud.set_snapshot_state(snapshot_ids[-1], "completed")  # of one volume five may be pending at a time
    world.cloud.client("ec2").create_tags(Resources=snapshot_ids, Tags=tags)
    for snapshot_id in snapshot_ids:
        world.cloud.set_snapshot_state(snapshot_id, "pending")
    asked_at: list[float] = []

    async def wait_for_all() -> list[Snapshot | None]:
        ec2 = await aws_client("ec2", settings.aws_conn_id)
        ec2.meta.events.register("before-call.ec2.DescribeSnapshots", lambda **_: asked_at.append(time.monotonic()))
        poller = SnapshotPoller(settings)
        tasks = [asyncio.create_task(poller.wait_until_settled(snapshot_id)) for snapshot_id in snapshot_ids]
        for number, snapshot_id in enumerate(snapshot_ids):
            await asyncio.sleep(0.1)
            state = "error" if number % 2 else "completed"
            await asyncio.to_thread(world.cloud.set_snapshot_state, snapshot_id, state)
        return list(await asyncio.gather(*tasks))

    outcomes = world.runner.run(wait_for_all())
    settled = [snapshot.state for snapshot in outcomes if snapshot]
    assert settled == ["error" if number % 2 else "completed" for number in range(waiting)]
    of_last_look = 2 if page > waiting else 4  # for which no pause is left to come
    assert len(asked_at) <= (asked_at[-1] - asked_at[0]) / 0.2 + of_last_look


def test_a_snapshot_that_amazon_does_not_show_is_given_up_after_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, "SNAPSHOT_SHOWN", 0.5)
    poller = SnapshotPoller(world.vault.settings)
    assert world.runner.run(poller.wait_until_settled("snap-0123456789abcdef0")) is None


def test_what_amazon_does_not_answer_takes_no_snapshot_for_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, "SNAPSHOT_SHOWN", 0.5)
    snapshot_id = world.cloud.make_snapshot(world.entries["acme"]["web"]["volume"])
    poller = SnapshotPoller(world.vault.settings)
    ask, silent_until = poller._ebs.snapshots, time.monotonic() + 1

    async def answered_late(snapshot_ids: Iterable[str]) -> dict[str, Snapshot]:
        if time.monotonic() < silent_until:
            raise UnavailableError("AWS did not answer.")
        if time.monotonic() < silent_until + 0.3:
            return {}  # look-ups lag
        return await ask(snapshot_ids)

    monkeypatch.setattr(poller._ebs, "snapshots", answered_late)
    snapshot = world.runner.run(poller.wait_until_settled(snapshot_id))
    assert snapshot
    assert snapshot.state == "completed"


def test_a_blocking_call_does_not_block_the_loop_and_its_error_arrives() -> None:
    meeting = threading.Barrier(5)  # which nobody leaves before all five are there

    async def five() -> None:
        await asyncio.gather(*(run_in_thread(lambda: meeting.wait(within(5)), label="meet") for _ in range(5)))

    asyncio.run(five())

    def fail() -> None:
        raise ValueError("from the thread")

    with pytest.raises(ValueError, match="from the thread"):
        asyncio.run(run_in_thread(fail, label="fail"))


def test_a_process_can_end_while_a_blocking_call_is_still_under_way() -> None:
    code = (
        "import asyncio, time\n"
        "from perennial.hooks.asynchronous import run_in_thread\n"
        "async def main():\n"
        "    try:\n"
        "        async with asyncio.timeout(0.2):\n"
        "            await run_in_thread(lambda: time.sleep(60), label='stuck')\n"
        "    except TimeoutError:\n"
        "        print('gave up')\n"
        "asyncio.run(main())\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ".:plugins"},
        capture_output=True,
        text=True,
        timeout=within(30),
        check=True,
    )
    assert run.stdout == "gave up\n"


def test_entries_that_cannot_be_used_are_reported_by_name(world: World) -> None:
    trigger = trigger_of(ReportRegisterProblemsTrigger)
    assert world.runner.run(trigger.work())["problems"] == 0
    world.entries["broken"] = {"id": "broken", "plan": "no-such-plan"}
    world.write_register()
    with pytest.raises(ConfigurationError, match=r"1 entries .*tenant broken: plan: there is no usable plan"):
        world.runner.run(trigger.work())


def test_the_noon_check_names_who_is_still_missing(world: World) -> None:
    world.add_tenant("globex")
    world.back_up(f"acme|daily|{TODAY}")
    confirm = trigger_of(ConfirmDailyBackupsTrigger, moment=f"{TODAY}T12:00:00Z", wait_minutes="0")
    with pytest.raises(
        PartError, match=r"1 tenants have no verified recovery point of 2026-11-23: globex \(no readable"
    ):
        world.runner.run(confirm.work())
    world.back_up(f"globex|daily|{TODAY}")
    assert world.runner.run(confirm.work())["missing"] == 0


def test_the_noon_check_waits_for_a_backup_that_is_still_at_work(world: World) -> None:
    day = date(2026, 11, 23) + timedelta(days=1)
    confirm = trigger_of(ConfirmDailyBackupsTrigger, moment=f"{day}T12:00:00Z", wait_minutes="1")

    async def both() -> int:
        waiting = asyncio.create_task(confirm.work())
        await asyncio.sleep(0.5)
        assert not waiting.done()
        for step in world.steps(f"acme|daily|{day}"):
            await step.work_within_deadline()
        result = await waiting
        return int(result["missing"])

    assert world.runner.run(both()) == 0
