"""Steps of backups in processes of their own, as several triggerers carry them out at the same moment."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterable
from multiprocessing.synchronize import Barrier
from typing import Any

from lab.testing.deadlines import within
from perennial.hooks.aws.clients import closing_clients
from tests.support.steps import Step
from tests.support.triggers import trigger_of


def at_once_in_processes(step: Step, requests: Iterable[str]) -> list[dict[str, Any]]:
    """Run the step for each request at the same moment, the last one here and each other in a new process; what they
    say.
    """
    context, wanted = multiprocessing.get_context("spawn"), list(requests)
    barrier, results = context.Barrier(len(wanted)), context.Queue()
    processes = [context.Process(target=_run, args=(step, request, barrier, results)) for request in wanted[:-1]]
    for process in processes:
        process.start()
    try:
        _run(step, wanted[-1], barrier, results)
        said = dict(results.get(timeout=within(120)) for _ in wanted)
    finally:
        for process in processes:
            process.join(within(20))
            process.kill()
    return [said[request] for request in wanted]


def _run(step: Step, request: str, barrier: Barrier, results: multiprocessing.Queue[tuple[str, Any]]) -> None:
    cls, fields = step
    tenant = request.split("|")[0]

    async def running() -> dict[str, Any]:
        async with closing_clients():
            return await trigger_of(cls, f"run-1-{tenant}", request=request, **fields).work_within_deadline()

    barrier.wait(within(120))
    results.put((request, asyncio.run(running())))
