"""Writes docs/dags.md from the docstrings of the DAG files: `python docs/build.py` (part of `make format`)."""

from __future__ import annotations

import ast
from pathlib import Path

DOCS = Path(__file__).parent
DAGS = DOCS.parent / "dags"
TARGET = DOCS / "dags.md"

HEAD = """# The DAGs

Made from the docstrings in `dags/` by `python docs/build.py`; a test fails when this page differs from them. Airflow
shows the same text on each DAG's page.
"""


def dags_page() -> str:
    """The whole page."""
    sections = []
    for file in sorted(DAGS.glob("*.py")):
        manual = ast.get_docstring(ast.parse(file.read_text())) or ""
        title, _, text = manual.partition("\n")
        sections.append(f"## {file.stem}: {title.removeprefix('###').strip()}\n{text.rstrip()}\n")
    return "\n".join([HEAD, *sections])


if __name__ == "__main__":
    TARGET.write_text(dags_page())
