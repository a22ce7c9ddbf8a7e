"""Every test sees an Airflow home of its own and none of the shell's Airflow, AWS or Perennial settings."""

from __future__ import annotations

import os
import tempfile

for variable in list(os.environ):
    if variable == "AWS_CA_BUNDLE" or variable.startswith("PERENNIAL_TEST_"):  # tests/real asks for those
        continue
    if variable.startswith(("AIRFLOW", "AWS_", "PERENNIAL_")):
        del os.environ[variable]

# Airflow reads these when it is imported for the first time, which happens while tests are collected.
_home = tempfile.TemporaryDirectory(prefix="perennial-test-airflow-")
os.environ["AIRFLOW_HOME"] = _home.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

pytest_plugins = [
    "lab.testing.cloud",
    "tests.support.host_scripts",
    "lab.testing.storage",
    "lab.testing.sql_server",
    "tests.support.databases",
    "tests.support.vaults",
    "tests.support.world",
    "tests.support.retention",
    "tests.support.retention_runs",
    "tests.support.stack",
]
