"""Makes what the docs show of the code: `python docs/build.py`, from the project's own environment.

docs/dags.md from the docstrings of the DAG files and the DAGs themselves, and the diagram in docs/architecture.md from
the table of transitions. A test fails when a page differs from what this would write.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
DAGS = DOCS.parent / "dags"

HEAD = """# The DAGs

Made from the DAG files by `python docs/build.py`; a test fails when this page differs from them. Airflow shows the same
text on each DAG's page, without the graph.

In the graphs a rounded box is a setup (it takes something) and a slanted one its teardown (it gives that back, after a
failure too; the dotted arrow leads to it). A six-sided box waits for a person: a worker puts the question, and ends. A
box with double sides starts a worker; all others run inside the triggerer.
"""

SETUP, TEARDOWN, PERSON, WORKER, STEP = ("([{}])", "[/{}/]", "{{{{{}}}}}", "[[{}]]", "[{}]")
BESIDE_ONE_ANOTHER = 6
"""Tasks that a graph shows from left to right; longer chains go downwards."""


def dags_page() -> str:
    """The page of all DAGs: of each its docstring, then its graph."""
    dags = _loaded()
    sections = []
    for file in sorted(DAGS.glob("*.py")):
        manual = ast.get_docstring(ast.parse(file.read_text())) or ""
        title, _, text = manual.partition("\n")
        graph = "\n".join(_graph(dags[file.stem]))
        sections.append(f"## {file.stem}: {title.removeprefix('###').strip()}\n{text.rstrip()}\n\n{graph}\n")
    return "\n".join([HEAD, *sections])


def architecture_page() -> str:
    """docs/architecture.md with the diagram of a recovery point's states between its markers."""
    from include.rules.points.transitions import TRANSITIONS

    acts = defaultdict[tuple[str, str], list[str]](list)
    for arrow in TRANSITIONS:
        acts[arrow.before or "[*]", arrow.after].append(arrow.act)
    arrows = [f"    {before} --> {after}: {', '.join(labels)}" for (before, after), labels in acts.items()]
    block = "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])
    before, rest = (DOCS / "architecture.md").read_text().split("<!-- begin: states -->\n")
    return f"{before}<!-- begin: states -->\n{block}\n<!-- end: states -->{rest.split('<!-- end: states -->')[1]}"


def _loaded() -> dict[str, Any]:
    """The DAGs as Airflow loads them, by their ids."""
    from airflow.dag_processing.dagbag import DagBag

    return dict(DagBag(DAGS).dags)


def _graph(dag: Any) -> Iterator[str]:
    tasks = dag.topological_sort()
    yield "```mermaid"
    yield f"flowchart {'LR' if len(tasks) <= BESIDE_ONE_ANOTHER else 'TB'}"
    first = [task.task_id for task in tasks if not task.upstream_task_ids]
    yield from (f"    {start} --> {task_id}" for start in _starts(dag) for task_id in first)
    for task in tasks:
        yield f"    {task.task_id}{_shape(task).format(task.task_id)}"
    for task in tasks:
        for following in _in_order(task.downstream_task_ids, tasks):
            ends = task.is_setup and dag.get_task(following).is_teardown
            yield f"    {task.task_id} {'-.->' if ends else '-->'} {following}"
        yield from (f"    {task.task_id} --> asset_{outlet.name}[({outlet.name})]" for outlet in task.outlets)
    yield "```"


def _starts(dag: Any) -> list[str]:
    """What starts a run of the DAG, as nodes: its assets, its hour, or a person."""
    asset = getattr(dag.timetable, "asset_condition", None)
    if asset is not None:
        return [f"asset_{one.name}[({one.name})]" for one in getattr(asset, "objects", [asset])]
    expression = getattr(dag.timetable, "expression", None)
    if expression is None:
        return ["hand((by hand))"]
    daily = re.fullmatch(r"(\d+) (\d+) \* \* \*", expression)
    return [f"clock(({daily[2]:0>2}:{daily[1]:0>2} UTC))" if daily else f'clock(("{expression}"))']


def _shape(task: Any) -> str:
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    if task.is_setup:
        return SETUP
    if task.is_teardown:
        return TEARDOWN
    if task.start_from_trigger:
        return STEP
    return PERSON if isinstance(task, ApprovalOperator) else WORKER


def _in_order(task_ids: Iterable[str], tasks: Iterable[Any]) -> list[str]:
    wanted = set(task_ids)
    return [task.task_id for task in tasks if task.task_id in wanted]


def main() -> None:
    """Write both pages."""
    sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "plugins")]
    with tempfile.TemporaryDirectory() as home:
        # Airflow reads these when it is imported for the first time.
        os.environ.update(AIRFLOW_HOME=home, AIRFLOW__CORE__LOAD_EXAMPLES="False")
        (DOCS / "dags.md").write_text(dags_page())
        (DOCS / "architecture.md").write_text(architecture_page())


if __name__ == "__main__":
    main()
