"""What Airflow's components load before they begin, so that no step loads it in the midst of others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
REPORT = """
import json, sys
sys.argv = ["airflow", *{arguments}]
import airflow, gc
before = set(sys.modules)
report = {{"frozen": gc.get_freeze_count(), "loaded": sorted(before)}}
{work}
report["late"] = sorted(set(sys.modules) - before)
print(json.dumps(report))
"""


def started(tmp_path: Path, *arguments: str, work: str = "", config: str | None = None) -> dict[str, Any]:
    """What a component that is started by these words has loaded, and what `work` loads then."""
    if config is not None:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "airflow_local_settings.py").write_text(config)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(PROJECT),
    }
    code = REPORT.format(arguments=list(arguments), work=work)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    report: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return report


TAKE_UP_ALL_STEPS = """
from perennial.steps.operator import StepOperator
def below(cls):
    return [one for sub in cls.__subclasses__() for one in (sub, *below(sub))]
report["triggers"] = len({cls.load_trigger() for cls in below(StepOperator) if hasattr(cls, "trigger")})
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
loader = AwsBaseHook(aws_conn_id=None).get_session(deferrable=True).get_component("data_loader")
loader.file_loader = None  # whoever reads a file now fails
report["operations"] = len(loader.load_service_model("ec2", "service-2", api_version=None)["operations"])
"""


def test_a_triggerer_has_loaded_all_steps_and_models_before_its_first_one(tmp_path: Path) -> None:
    report = started(tmp_path, "triggerer", work=TAKE_UP_ALL_STEPS)
    assert report["triggers"] > 20
    assert report["operations"] > 500
    assert [module for module in report["late"] if module.startswith(("perennial", "include", "botocore"))] == []
    assert report["frozen"] > 100_000


def test_a_dag_processor_has_loaded_what_dag_files_import_and_no_more(tmp_path: Path) -> None:
    files = [str(file) for file in sorted((PROJECT / "dags").glob("*.py"))]
    report = started(tmp_path, "dag-processor", work=f"import runpy\nfor file in {files}: runpy.run_path(file)")
    assert [module for module in report["late"] if module.startswith(("perennial", "include"))] == []
    assert [
        module for module in report["loaded"] if module.startswith(("perennial.hooks", "botocore", "pymssql"))
    ] == []


def swept(*arguments: str) -> Any:
    """A case that `make test` leaves out: each is a process that loads the whole of Airflow."""
    return pytest.param(arguments, marks=pytest.mark.sweep)


@pytest.mark.parametrize("arguments", [("scheduler",), swept("tasks", "run"), swept()])
def test_no_other_command_loads_anything_of_ours(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    report = started(tmp_path, *arguments)
    ours = {module for module in report["loaded"] if module.startswith(("perennial", "include"))}
    assert ours == {"perennial", "perennial.airflow_settings"}  # which decides that nothing is to be loaded
    assert report["frozen"] == 0


FORK_AS_THE_TRIGGERER_DOES = """
import os
from collections import deque
from perennial.hooks.asynchronous import set_aside_what_is_there
class Knot:
    def __init__(self):
        self.itself = self
gc.disable()
loaded_later = [[] for _ in range(100_000)]
reads, writes = os.pipe()
if (child := os.fork()) == 0:
    made_once = [[] for _ in range(50_000)]
    set_aside_what_is_there()
    looked_at, collected = len(gc.get_objects()), []
    gc.enable()
    gc.callbacks.append(lambda phase, told: collected.append(told["collected"]) if told["generation"] == 2 else None)
    at_work = deque(maxlen=64)
    for _ in range(2000):
        at_work.append([Knot() for _ in range(200)])
    os.write(writes, json.dumps([looked_at, max(collected), sum(collected)]).encode())
    os._exit(0)
os.waitpid(child, 0)
report["looked_at"], report["at_most"], report["in_all"] = json.loads(os.read(reads, 1000))
"""


def test_the_event_loop_of_a_triggerer_collects_what_steps_leave_and_looks_at_nothing_else(tmp_path: Path) -> None:
    """Airflow loads most of itself after its local settings, and runs triggers in a fork."""
    report = started(tmp_path, "triggerer", work=FORK_AS_THE_TRIGGERER_DOES)
    assert report["looked_at"] < 1000
    assert report["at_most"] < 40_000, "Python's own rule lets 90,000 come together"
    assert report["in_all"] > 300_000


WITH_A_POLICY = """
from perennial.airflow_settings import preload
preload()

def task_policy(task):
    task.doc_md = "by our policy"
"""


def test_local_settings_of_ones_own_keep_what_they_say_and_load_what_ours_do(tmp_path: Path) -> None:
    """They go before ours, and do as the README says."""
    work = f"""{TAKE_UP_ALL_STEPS}
import types
from airflow.settings import get_policy_plugin_manager
task = types.SimpleNamespace()
get_policy_plugin_manager().hook.task_policy(task=task)
report["policy"] = task.doc_md
"""
    report = started(tmp_path, "triggerer", config=WITH_A_POLICY, work=work)
    assert report["policy"] == "by our policy"
    assert [module for module in report["late"] if module.startswith(("perennial", "include", "botocore"))] == []
    assert report["frozen"] > 100_000


WITHOUT_A_DRIVER = """
import sys
sys.modules["pymssql"] = None
from perennial.airflow_settings import preload
preload()
"""


def test_what_cannot_be_loaded_stops_no_triggerer(tmp_path: Path) -> None:
    """Other people's DAGs go on; the step that needs it says what is missing."""
    report = started(tmp_path, "triggerer", config=WITHOUT_A_DRIVER)
    assert "perennial.steps.operator" in report["loaded"]
    assert "perennial.hooks.sql_server.server" not in report["loaded"]
