"""DAG files: they declare and do nothing else, and what they declare is what the docs promise."""

from __future__ import annotations

import builtins
import socket
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow._shared.module_loading.file_discovery import find_path_from_directory
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from lab.testing.deadlines import pace
from perennial.steps.operator import StepOperator

DAGS = Path(__file__).parents[2] / "dags"
EXPECTED = {
    "check_register",
    "confirm_daily_backups",
    "daily_backups",
    "hold_recovery_point",
    "lift_hold",
    "list_recovery_points",
    "manual_backup",
    "offboard_tenant",
    "restore",
    "retention",
    "tenant_backup",
}
ON_WORKERS = {
    ("daily_backups", "queue_tenants"),
    ("confirm_daily_backups", "queue_missing"),
    # The triggerer is not told who triggered a run, and these record it.
    ("hold_recovery_point", "hold"),
    ("lift_hold", "lift"),
    ("offboard_tenant", "offboard"),
}
WAITING_FOR_A_PERSON = {("restore", "approval"), ("retention", "approval")}
CHAIN = ["open", "snapshot_web_volume", "snapshot_db_volume", "backup_database", "verify", "close"]


def load() -> DagBag:
    return DagBag(DAGS)


def order_of(dag: DAG) -> list[str]:
    """Task ids from first to last."""
    return [task.task_id for task in dag.topological_sort()]  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return load()


def test_every_file_loads_and_holds_the_dag_it_is_named_after(bag: DagBag) -> None:
    assert bag.import_errors == {}
    files = {Path(dag.fileloc).stem: dag_id for dag_id, dag in bag.dags.items()}
    assert files == {name: name for name in EXPECTED}
    assert {file.stem for file in DAGS.glob("*.py")} == EXPECTED


def test_every_dag_has_a_manual_a_description_and_tags(bag: DagBag) -> None:
    for dag in bag.dags.values():
        assert dag.doc_md
        assert dag.doc_md.strip().startswith("###")
        assert dag.description
        assert dag.tags


def test_no_dag_file_is_longer_than_a_declaration() -> None:
    assert max(len(file.read_text().splitlines()) for file in DAGS.glob("*.py")) <= 120


def test_every_step_of_a_tenants_backup_and_restore_is_workerless(bag: DagBag) -> None:
    on_workers = set()
    for dag_id, dag in bag.dags.items():
        for task in dag.tasks:
            if not (isinstance(task, StepOperator) and task.start_from_trigger):
                on_workers.add((dag_id, task.task_id))
    assert on_workers == ON_WORKERS | WAITING_FOR_A_PERSON


def test_retention_waits_for_a_person_only_when_its_preview_asks_for_it(bag: DagBag) -> None:
    dag = bag.dags["retention"]
    preview, approval, carry_out = (dag.get_task(name) for name in order_of(dag))
    assert isinstance(preview, StepOperator)
    assert preview.start_trigger_args
    assert (preview.start_trigger_args.trigger_kwargs or {})["approval_task"] == approval.task_id
    assert preview.downstream_task_ids == {approval.task_id}
    assert carry_out.trigger_rule == "none_failed"  # neither skipped with the approval nor begun after a refusal
    assert dag.params.get_param("tenant").resolve() is None


def test_the_fleets_retention_never_waits_behind_runs_that_wait_for_a_person(bag: DagBag) -> None:
    """MAX_DELETE of a fleet of a thousand tenants asks for a run of each."""
    assert bag.dags["retention"].max_active_runs >= 1000


def test_how_many_backups_run_at_once_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _tenant_backup().dags["tenant_backup"].max_active_runs == 96
    monkeypatch.setenv("PERENNIAL_BACKUPS_AT_ONCE", "200")
    assert _tenant_backup().dags["tenant_backup"].max_active_runs == 200
    for wrong in ("many", "0", "-1", "1.5"):
        monkeypatch.setenv("PERENNIAL_BACKUPS_AT_ONCE", wrong)
        (error,) = _tenant_backup().import_errors.values()
        assert f"PERENNIAL_BACKUPS_AT_ONCE is '{wrong}', not a number of runs. The DAG `tenant_backup`" in error


def _tenant_backup() -> DagBag:
    return DagBag(DAGS / "tenant_backup.py")


def test_both_backup_dags_are_built_from_the_same_chain(bag: DagBag) -> None:
    for dag_id in ("tenant_backup", "manual_backup"):
        dag = bag.dags[dag_id]
        assert order_of(dag) == CHAIN
        close, start = dag.get_task("close"), dag.get_task("open")
        assert close.is_teardown
        assert close.on_failure_fail_dagrun
        assert start.is_setup


def test_no_two_steps_under_one_lease_can_run_at_once(bag: DagBag) -> None:
    for dag_id in ("tenant_backup", "manual_backup", "restore"):
        order = order_of(bag.dags[dag_id])
        for task_id, following in pairwise(order):
            assert following in bag.dags[dag_id].get_task(task_id).downstream_task_ids


def test_every_field_of_a_step_is_rendered(bag: DagBag) -> None:
    for dag in bag.dags.values():
        for task in dag.tasks:
            if isinstance(task, StepOperator):
                start = task.start_trigger_args
                assert start
                arguments = start.trigger_kwargs or {}
                assert set(arguments) - {"deadline"} == set(task.load_trigger().fields) == set(task.template_fields)
                assert start.timeout
                assert start.timeout.total_seconds() > arguments["deadline"]


def test_dags_are_created_unpaused_so_that_no_key_is_lost(bag: DagBag) -> None:
    assert all(dag.is_paused_upon_creation is False for dag in bag.dags.values())


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a DAG file reached for the network while it was parsed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_parsing_reads_no_configuration_and_needs_no_network_or_settings(
    monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    opened: list[str] = []
    real = builtins.open

    def watch(file: Any, *args: Any, **kwargs: Any) -> Any:
        opened.append(str(file))
        return real(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", watch)
    assert load().import_errors == {}
    assert [file for file in opened if file.endswith((".yaml", ".yml", ".json"))] == []


def test_all_files_parse_in_under_a_second_of_cpu_once_airflow_is_loaded(bag: DagBag) -> None:
    started = time.process_time()
    assert load().import_errors == {}
    assert time.process_time() - started < 1.0 * pace()


def test_every_param_has_a_default_that_its_own_schema_allows(bag: DagBag) -> None:
    """The triggerer validates them while it sets a trigger up, and ends as a whole when one does not pass."""
    for dag in bag.dags.values():
        for name in dag.params:
            dag.params.get_param(name).resolve()


def test_the_plugin_loader_runs_the_plugin_and_leaves_our_modules_alone() -> None:
    plugins = DAGS.parent / "plugins"
    found = list(find_path_from_directory(str(plugins), ".airflowignore", "glob"))
    assert [path for path in found if path.endswith(".py")] == [str(plugins / "perennial_plugin.py")]


def test_clearing_a_step_in_the_middle_clears_open_and_close_with_it(bag: DagBag) -> None:
    """docs/backup.md, "Run it again": a cleared step never runs without a lease."""
    dag = bag.dags["tenant_backup"]
    cleared = dag.partial_subset(["verify"], include_downstream=True, include_upstream=False)
    assert set(cleared.task_ids) == {"open", "verify", "close"}
