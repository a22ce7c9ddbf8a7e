"""The docs: what they show is what the code says."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from include.rules.points.manifest import Manifest
from include.rules.points.transitions import State
from include.rules.register.register import parse_register
from include.rules.register.tenants import Plan
from tests.docs.sources import CODE, PAGES, ROOT, python_files
from tests.support.steps import CHAIN


@pytest.fixture(scope="module")
def build() -> Any:
    found = spec_from_file_location("build", ROOT / "docs" / "build.py")
    assert found
    assert found.loader
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_page_of_dags_is_made_from_the_dags(build: Any) -> None:
    assert (ROOT / "docs" / "dags.md").read_text() == build.dags_page(), "run: python docs/build.py"


def test_the_diagram_of_states_is_made_from_the_table_of_transitions(build: Any) -> None:
    assert (ROOT / "docs" / "architecture.md").read_text() == build.architecture_page(), "run: python docs/build.py"


def test_the_graph_of_a_restore_shows_setups_teardowns_and_who_is_asked(build: Any) -> None:
    shown = build.dags_page().split("## restore:")[1].split("## retention:")[0]
    for line in ("approval{{approval}}", "open([open])", "close[/close/]", "open -.-> close"):
        assert f"\n    {line}\n" in shown


def test_the_pages_know_every_step_of_a_backup() -> None:
    counted = re.search(r"tenant_backup 0 \((\d+) runs, (\d+) tasks\)", (ROOT / "README.md").read_text())
    assert counted, "the README shows what the demo counts"
    assert int(counted[2]) == int(counted[1]) * len(CHAIN)
    journey = (ROOT / "docs" / "architecture.md").read_text().split("## Journey 1")[1].split("\n## ")[0]
    modules = {f"`plugins/{cls.__module__.replace('.', '/')}.py`" for cls, _ in CHAIN}
    assert [module for module in modules if module not in journey] == []


def test_the_page_of_the_vault_names_every_field_and_state() -> None:
    text = (ROOT / "docs" / "vault.md").read_text()
    named = set(re.findall(r"[a-z_]+", text))
    assert set(Manifest.model_fields) - {"opened_at", "closed_at"} <= named
    assert {state.value for state in State} <= named


def test_the_example_in_the_register_is_one_that_parses() -> None:
    config = ROOT / "include" / "config"
    comment = (config / "tenants.yaml").read_text()
    lines = [line[2:] for line in comment.splitlines() if line.startswith("# ")]
    example = "\n".join(line for line in lines if line.startswith("  "))
    plans = yaml.safe_load((config / "plans.yaml").read_text())
    register = parse_register({"tenants": yaml.safe_load(example)}, plans, tenants_source="t", plans_source="p")
    assert register.problems == ()
    assert set(register.tenants) == {"acme"}


def test_the_header_of_the_plans_describes_every_field_of_one() -> None:
    header = re.findall(r"^#   (\w+)", (ROOT / "include" / "config" / "plans.yaml").read_text(), re.MULTILINE)
    assert set(header) == set(Plan.model_fields) - {"name"}


def test_every_setting_is_described_in_the_readme() -> None:
    described = set(re.findall(r"PERENNIAL_[A-Z_]+", (ROOT / "README.md").read_text()))
    product = (file.read_text() for file in (ROOT / "plugins").rglob("*.py"))
    read = {name for text in product for name in re.findall(r'"(PERENNIAL_[A-Z_]+)"', text)}
    assert "PERENNIAL_BACKUPS_AT_ONCE" in read
    assert read <= described


def test_every_link_of_the_docs_leads_somewhere() -> None:
    for page in PAGES:
        for target, _, heading in re.findall(r"\]\(([^)#\s]*)(#([^)\s]+))?\)", page.read_text()):
            if target.startswith("http"):
                continue
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name} links to {target}"
            assert not heading or heading in headings(there), f"{page.name} links to {target}#{heading}"


def headings(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_the_index_of_the_docs_leads_to_every_page() -> None:
    for folder in (ROOT / "docs", ROOT / "docs" / "decisions"):
        linked = set(re.findall(r"\]\(([^)#]+)", (folder / "README.md").read_text()))
        pages = {page.name for page in folder.iterdir() if page.suffix in (".md", ".json")} - {"README.md"}
        assert pages <= linked


def test_every_page_that_the_code_names_is_there() -> None:
    for folder in (*CODE, "include"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".yaml", ".sh", ".ps1"):
                named = re.findall(r"\bdocs/[\w/-]+\.(?:md|json)\b", file.read_text())
                assert [page for page in named if not (ROOT / page).exists()] == [], file


def test_the_code_that_contributing_shows_stands_in_the_code() -> None:
    shown = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert shown
    code = [file.read_text() for file in python_files(("include", "plugins/perennial"))]
    for block in shown:
        assert any(dedent(block).strip() in text for text in code), block


def test_every_target_that_a_page_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE))
        assert named <= targets, page.name


def test_the_architecture_names_every_module_that_deletes() -> None:
    row = next(
        line for line in (ROOT / "docs" / "architecture.md").read_text().splitlines() if "anything deleted" in line
    )
    deletes = re.compile(r"\bdelete_(snapshot|volume|version|backup_file|object)\b")
    carrying_out = [f"plugins/perennial/{room}" for room in ("backup", "restore", "retention", "steps")]
    deleting = [str(file.relative_to(ROOT)) for file in python_files(carrying_out) if deletes.search(file.read_text())]
    scripts = {f"include/scripts/copy_tree.{kind}" for kind in ("sh", "ps1")}
    elsewhere = {"plugins/perennial/hooks/sql_server/drop.py", *scripts}
    assert set(re.findall(r"`([^`]+)`", row)) == {*deleting, *elsewhere}
