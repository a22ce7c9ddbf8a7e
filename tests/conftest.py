"""Every test sees an Airflow home of its own, none of the shell's settings, and a time limit that fits the machine."""

from __future__ import annotations

import gc
import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

from lab.environment import PROJECT
from lab.testing.deadlines import measure_pace, within
from tests.support.service_models import share_service_models
from tests.support.sweeps import mark_further_cases

for variable in list(os.environ):
    if variable == "AWS_CA_BUNDLE" or variable.startswith("PERENNIAL_TEST_"):  # tests/real asks for those
        continue
    if variable.startswith(("AIRFLOW", "AWS_", "PERENNIAL_")):
        del os.environ[variable]

# Airflow reads these when it is imported for the first time, which happens while tests are collected.
_home = tempfile.TemporaryDirectory(prefix="perennial-test-airflow-")
os.environ["AIRFLOW_HOME"] = _home.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(PROJECT / "plugins")
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

# All that is imported until the tests begin stays: to look through it for garbage again and again takes a tenth of a
# worker's processor time.
gc.disable()

measure_pace()
# A busy machine is no counterexample: hypothesis would give each example 0.2 s.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
share_service_models()

pytest_plugins = [
    "tests.support.interrupts",
    "tests.support.days",
    "tests.support.labs",
    "tests.support.hosts",
    "tests.support.host_scripts",
    "tests.support.databases",
    "tests.support.vaults",
    "tests.support.servers",
    "tests.support.world",
    "tests.support.neighbours",
    "tests.support.lent_world",
    "tests.support.retention",
    "tests.support.retention_runs",
    "tests.support.stack",
]


def pytest_collection_finish() -> None:
    """From now on there is garbage, and it is looked for among what the tests make."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)  # before pytest looks which marks were asked for
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark sweeps; and set every test's time limit, its own mark's or the common one, in seconds of this machine."""
    mark_further_cases(items)
    if config.getoption("timeout") is not None:  # somebody has a limit of their own in mind
        return
    common = float(config.getini("timeout"))
    for item in items:
        mark = item.get_closest_marker("timeout")
        item.add_marker(pytest.mark.timeout(within(mark.args[0] if mark else common)), append=False)
