"""What the register costs the triggerer's event loop: no long stop, and nothing that only a collection frees."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref

import pytest

from include.rules.register.register import Register
from include.rules.register.tenants import DatabaseHost, Tenant, WebHost
from lab.testing.deadlines import pace, within
from lab.waiting import wait_until
from perennial.hooks import register
from perennial.hooks.asynchronous import setting_aside
from tests.support.register_files import Files, files

__all__ = ["files"]


async def test_judging_three_thousand_tenants_lets_the_event_loop_go_on(files: Files) -> None:
    """In CPU seconds of the whole process, so that a busy machine proves nothing: what passes between two turns."""
    files.write(*(f"tenant-{number}" for number in range(3000)))
    files.age()
    gaps, is_over = list[float](), False

    async def tick() -> None:
        before = time.process_time()
        while not is_over:
            await asyncio.sleep(0.001)
            now = time.process_time()
            gaps.append(now - before)
            before = now

    gc.collect()
    gc.freeze()  # as the triggerer does before its first step
    ticking = asyncio.ensure_future(tick())
    try:
        assert len((await files.read()).tenants) == 3000
    finally:
        is_over = True
        await ticking
    assert max(gaps) < 0.05 * pace()


async def test_a_register_that_is_replaced_goes_without_a_collection(files: Files) -> None:
    """It may be set aside, where no collection would find it."""
    files.write("acme")
    files.age(60)
    register = await files.read()
    replaced = weakref.ref(register), weakref.ref(register.tenants["acme"])
    gc.freeze()
    gc.disable()
    try:
        del register
        files.write("acme", "globex")
        files.age(30)
        assert len((await files.read()).tenants) == 2
        # The thread that has read it lets go of it a moment after its word.
        wait_until(lambda: [one() for one in replaced] == [None, None], within(10), "something refers to it still")
    finally:
        gc.enable()


def in_sight(register: Register) -> set[str]:
    """The tenants at which collections of garbage look."""
    gc.collect()
    seen = {id(one) for one in gc.get_objects() if isinstance(one, Tenant | WebHost | DatabaseHost)}
    return {name for name, tenant in register.tenants.items() if seen & {id(one) for one in (tenant, *tenant.hosts)}}


async def test_a_triggerer_sets_aside_a_register_that_has_grown_and_nothing_at_other_changes(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setting_aside, "has_begun", True)
    monkeypatch.setattr(register, "_shelf", register._Shelf())
    files.write("acme")
    files.age(60)
    assert in_sight(await files.read()) == set()
    files.write("acme", "globex")
    files.age(50)
    assert in_sight(await files.read()) == set()
    files.write("acme", "globex", "initech")
    files.age(40)
    before = gc.get_freeze_count()
    assert in_sight(await files.read()) == {"acme", "globex", "initech"}
    assert gc.get_freeze_count() <= before
