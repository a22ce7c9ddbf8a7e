"""The baselines do the product's steps, all of them, in their order and under the same limit."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable
from airflow.sdk.execution_time.context import OutletEventAccessors

from bench.ways.deferrable import OrdinaryDeferrableOperator, OrdinaryTrigger
from bench.ways.dispatch import MAX_ACTIVE_RUNS, QueueTenantsOperator
from bench.ways.floor import chain_steps
from include.rules.points.partition_keys import join_keys
from lab.environment import PROJECT
from perennial.backup import dispatch
from perennial.backup.partitions import TenantsMapper
from perennial.steps.operator import StepOperator
from tests.support.triggers import trigger_of


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), PROJECT / f"{path}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dag_of(path: str, dag_id: str) -> DAG:
    return next(value for value in vars(load(path)).values() if isinstance(value, DAG) and value.dag_id == dag_id)


@pytest.fixture(scope="module")
def product() -> DAG:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(PROJECT / "dags" / "tenant_backup.py"), load_op_links=False)
    assert bag.import_errors == {}
    return bag.dags["tenant_backup"]


def shape(dag: DAG) -> dict[str, Any]:
    return {
        task.task_id: (sorted(task.downstream_task_ids), task.is_setup, task.is_teardown, str(task.trigger_rule))
        for task in dag.tasks
    }


@pytest.mark.parametrize("way", ["sync", "deferrable"])
def test_a_baseline_has_the_same_tasks_in_the_same_order_under_the_same_limit(way: str, product: DAG) -> None:
    baseline = dag_of(f"bench/dags/bench_{way}", f"bench_{way}_backup") if way == "sync" else load_deferrable()
    assert shape(baseline) == shape(product)
    assert baseline.max_active_runs == product.max_active_runs == MAX_ACTIVE_RUNS
    assert not any(task.start_from_trigger for task in baseline.tasks)


@pytest.mark.parametrize("way", ["sync", "deferrable"])
def test_a_baseline_makes_runs_of_events_as_the_product_does(way: str) -> None:
    timetable = dag_of(f"bench/dags/bench_{way}", f"bench_{way}_backup").timetable
    assert isinstance(timetable, PartitionedAssetTimetable)
    assert isinstance(timetable.default_partition_mapper, TenantsMapper)


def test_a_baseline_is_queued_by_as_few_events_as_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"t{number:04}|daily|2026-11-26" for number in range(100)]
    monkeypatch.setattr(dispatch, "partitions_due", lambda _: keys)
    asset, events = Asset("due"), OutletEventAccessors()
    context: Any = {"dag_run": SimpleNamespace(run_after=datetime.now(UTC)), "outlet_events": events}
    assert QueueTenantsOperator(task_id="queue", asset=asset).execute(context) == len(keys)
    assert list(events[asset].partition_keys) == list(join_keys(keys))


def load_deferrable() -> DAG:
    backup: DAG = load("bench/dags/bench_deferrable").backup
    return backup


def test_the_deferrable_baseline_runs_the_steps_of_the_product(product: DAG) -> None:
    steps = {task.task_id: task for task in product.tasks if isinstance(task, StepOperator)}
    for task in load_deferrable().tasks:
        assert isinstance(task, OrdinaryDeferrableOperator)
        step = steps[task.task_id]
        assert task.step == step.trigger
        assert {**task.arguments, "request": ""} == {**step.trigger_arguments(), "request": ""}
        assert task.retries == 3


def test_the_floor_runs_the_steps_in_their_order(product: DAG) -> None:
    in_order = [task.task_id for task in product.topological_sort()]  # type: ignore[no-untyped-call]
    assert [step.task_id for step in chain_steps()] == in_order


async def test_a_trigger_that_a_worker_takes_up_tells_why_its_step_failed() -> None:
    trigger = OrdinaryTrigger("perennial.backup.open_close.OpenRecoveryPointTrigger", {"request": "x", "deadline": 5})
    trigger.task_instance = trigger_of(load_step()).task_instance
    (event,) = [event async for event in trigger.run()]
    assert event.payload["is_done"] is False
    assert "PERENNIAL_VAULT" in event.payload["xcoms"]["failure"]
    path, arguments = trigger.serialize()
    assert path == "bench.ways.deferrable.OrdinaryTrigger"
    assert arguments == {"step": trigger.step, "arguments": trigger.arguments}


def load_step() -> Any:
    return chain_steps()[0].load_trigger()
