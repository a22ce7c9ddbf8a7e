"""`python -m bench.ways.floor`: the same steps by a bare asyncio script, with no Airflow around them: the floor.

Backs up every tenant that is due, 96 at a time, and prints one line of JSON: seconds, CPU seconds from the moment at
which everything is imported, and what has failed.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG

from bench.ways.dispatch import MAX_ACTIVE_RUNS
from include.rules.backup.due import daily_partitions
from perennial.backup.chain import backup_chain
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.register import read_register
from perennial.settings import Settings
from perennial.steps.operator import StepOperator


def main() -> None:
    """Measure and print."""
    steps = chain_steps()
    for step in steps:
        step.load_trigger()
    began, used = time.monotonic(), time.process_time()
    failures = asyncio.run(back_up_all(steps, int(os.environ.get("AT_ONCE", MAX_ACTIVE_RUNS))))
    print(
        json.dumps({"wall": time.monotonic() - began, "cpu": time.process_time() - used, "failures": failures}),
        flush=True,
    )


def chain_steps() -> list[StepOperator]:
    """The steps of the product's chain in their order, `request` still to be filled in."""
    with DAG("floor", auto_register=False) as dag:
        backup_chain("")
    in_order = dag.topological_sort()  # type: ignore[no-untyped-call]
    return [task for task in in_order if isinstance(task, StepOperator)]


async def back_up_all(steps: list[StepOperator], at_once: int) -> list[str]:
    """Back up every tenant that is due today; returns what went wrong."""
    gate, failures = asyncio.Semaphore(at_once), list[str]()
    async with closing_clients():
        register = await read_register(Settings.from_environment())

        async def back_up(request: str) -> None:
            async with gate:
                with _noting(failures, request):
                    await _run_chain(steps, request)

        await asyncio.gather(*map(back_up, daily_partitions(register, datetime.now(UTC).date())))
    return failures


async def _run_chain(steps: list[StepOperator], request: str) -> None:
    """Run the steps one after the other; after a failure the teardown alone, as Airflow does."""
    failure: Exception | None = None
    for step in steps:
        if failure is None or step.is_teardown:
            try:
                await _trigger(step, request).work_within_deadline()
            except Exception as error:
                failure = failure or error
    if failure:
        raise failure


def _trigger(step: StepOperator, request: str) -> Any:
    trigger = step.load_trigger()(**{**step.trigger_arguments(), "request": request})
    ids = {"task_id": step.task_id, "dag_id": "floor", "run_id": request}
    trigger.task_instance = SimpleNamespace(**ids)  # type: ignore[assignment]
    return trigger


@contextmanager
def _noting(failures: list[str], request: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        failures.append(f"{request}: {error}")


if __name__ == "__main__":
    main()
