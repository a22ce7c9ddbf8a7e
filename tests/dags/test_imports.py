"""What DAG files load, themselves and through what they import: each end of a step parses its file again."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path

import pytest

DAGS = Path(__file__).parents[2] / "dags"
MAY_IMPORT = (
    "airflow.sdk",
    "datetime",
    "perennial.backup.chain",
    "perennial.backup.operators",
    "perennial.backup.partitions",
    "perennial.register_check.operators",
    "perennial.restore.chain",
    "perennial.restore.operators",
    "perennial.retention.operators",
    "perennial.steps.approval",
    "perennial.steps.forms",
)
"""What DAG files and the chains of which they are built import, beside enums of the rules."""


def imported_names(file: Path) -> list[tuple[str, str]]:
    """Module and name of everything that a file imports, wherever in it."""
    tree = ast.parse(file.read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)], "import names, not modules"
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    return [(str(node.module), alias.name) for node in imports for alias in node.names]


CHAINS = [DAGS.parent / "plugins" / "perennial" / folder / "chain.py" for folder in ("backup", "restore")]


@pytest.mark.parametrize(
    "file", [*sorted(DAGS.glob("*.py")), *CHAINS], ids=lambda file: f"{file.parent.name}-{file.stem}"
)
def test_a_declaration_imports_operators_and_enums_of_the_rules_and_nothing_else(file: Path) -> None:
    for module, name in imported_names(file):
        thing = getattr(importlib.import_module(module), name, None)
        is_enum = module.startswith("include.rules.") and isinstance(thing, type) and issubclass(thing, Enum)
        assert is_enum or module in MAY_IMPORT or f"{module}.{name}" in MAY_IMPORT, f"{module}.{name}"


OF_A_BACKUP = {
    "include.rules.errors",
    "include.rules.points.part_names",
    "include.rules.points.partition_keys",
    "perennial.backup.chain",
    "perennial.backup.operators",
    "perennial.backup.partitions",
    "perennial.steps.fields",
    "perennial.steps.forms",
    "perennial.steps.operator",
}
OF_ALL = OF_A_BACKUP | {
    "include.rules.points.approvals",
    "include.rules.restore.scope",
    "perennial.register_check.operators",
    "perennial.restore.chain",
    "perennial.restore.operators",
    "perennial.retention.operators",
    "perennial.steps.approval",
}
OTHERS = {"airflow.providers.standard", "airflow.providers.common.compat", "asgiref"}
"""Packages that the approval's operator brings; all that a backup needs is loaded with Airflow's SDK."""


@pytest.mark.parametrize(("name", "ours", "others"), [("tenant_backup", OF_A_BACKUP, set()), ("*", OF_ALL, OTHERS)])
def test_parsing_loads_no_more_than_it_declares_with(name: str, ours: set[str], others: set[str]) -> None:
    """Each end of a step parses its file again, in a process of its own: no trigger, no client, no model of a rule."""
    files = [str(file) for file in sorted(DAGS.glob(f"{name}.py"))]
    code = (
        "import perennial, airflow.sdk, airflow.dag_processing.processor, airflow.dag_processing.dagbag, runpy, sys\n"
        "before = set(sys.modules)\n"
        f"for file in {files}:\n"
        "    runpy.run_path(file)\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{DAGS.parent}:{DAGS.parent / 'plugins'}"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    loaded = set(run.stdout.splitlines()[-1].split()) - sys.stdlib_module_names
    loaded = {module for module in loaded if not module.startswith("airflow.sdk")}  # the SDK loads its parts late
    packages = {"include", "include.rules"} | {module.rpartition(".")[0] for module in ours}
    assert {module for module in loaded if module.split(".")[0] in ("include", "perennial")} == ours | packages
    rest = {module for module in loaded if module.split(".")[0] not in ("include", "perennial")}
    assert {module for module in rest if not any(f"{module}.".startswith(f"{one}.") for one in others)} == set()
