"""What Airflow's components load before they begin: Airflow's local settings call it at each start.

The dag-processor forks a process for each end of a step, which parses that step's DAG file: what it finds loaded it
does not load again. The triggerer has one event loop for all steps, in a fork of the process that reads this: what the
first of them loaded at first use (the clients' models of AWS, a second of CPU time) would stop all others, and so do
collections of cyclic garbage (`keep_collections_short`).

A component keeps what it has loaded: restart all of them after an upgrade. Of the name `airflow_local_settings` Airflow
reads one module: where the folder `config` of AIRFLOW_HOME has one, that, which then has to call `preload`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perennial.steps.operator import StepOperator

OPERATORS = (
    "include.rules.restore.scope",
    "perennial.backup.chain",
    "perennial.backup.partitions",
    "perennial.register_check.operators",
    "perennial.restore.chain",
    "perennial.retention.operators",
    "perennial.steps.approval",
    "perennial.steps.forms",
)
"""What DAG files import."""

AT_FIRST_USE = ("airflow.sdk.execution_time.task_runner", "airflow.sdk.execution_time.xcom")
"""What steps import in their midst."""

MIDDLE_COLLECTIONS = 1
"""After how many collections of what is younger all is looked at. Python's 10 let 17,000 objects of ended steps come
together, which take 50 ms to free on a busy machine; a step leaves some 300.
"""

AWS_SERVICES = ("ec2", "s3", "ssm", "sts")
NOBODY = {"aws_access_key_id": "nobody", "aws_secret_access_key": "-"}


def preload() -> None:
    """Load what the component that is about to begin will need; what cannot be loaded is told by whoever needs it."""
    component = sys.argv[1] if len(sys.argv) > 1 else ""  # the word after `airflow` in the command that starts it
    try:
        if component == "dag-processor":  # sets aside by itself what is loaded
            load_operators()
        elif component == "triggerer":
            load_operators()
            load_triggers()
            load_aws_models()
            gc.collect()
            gc.freeze()
            os.register_at_fork(after_in_child=keep_collections_short)
    except Exception:
        logging.getLogger(__name__).exception("What the %s needs could not be loaded beforehand.", component)


def keep_collections_short() -> None:
    """Let the collections of cyclic garbage of a process that has just been forked stop it for a short time each.

    They look at nothing that it has inherited: of the 120,000 objects that Airflow loads after this module, and before
    it forks the process of the event loop, each would take a tenth of a second to look at. That is set aside once in a
    process's life: what steps leave later, in cycles for the most part (Airflow makes each of them a DAG of its own),
    has to be collected. It is so more often than Python does by itself, fewer at a time.
    """
    from perennial.hooks.asynchronous import setting_aside

    setting_aside.begin()
    gc.collect()  # of nothing: Python waits for a quarter of what the last one has left
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, MIDDLE_COLLECTIONS)


def load_operators() -> None:
    """Import what DAG files import."""
    for module in OPERATORS:
        import_module(module)


def load_triggers() -> None:
    """Import the triggers of all operators, and with them all that steps are made of."""
    from perennial.steps.operator import StepOperator

    for operator in _subclasses(StepOperator):
        if hasattr(operator, "trigger"):
            operator.load_trigger()
    for module in AT_FIRST_USE:
        import_module(module)


def load_aws_models() -> None:
    """Make one client of each service and throw it away: what that reads and imports, the provider's sessions share."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    session = AwsBaseHook(aws_conn_id=None).get_session(region_name="us-east-1", deferrable=True)

    async def make() -> None:
        for service in AWS_SERVICES:
            async with session.create_client(service, **NOBODY):
                pass  # nothing is sent

    asyncio.run(make())


def _subclasses(cls: type[StepOperator]) -> Iterator[type[StepOperator]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
