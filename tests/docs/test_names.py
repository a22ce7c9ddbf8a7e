"""What the pages name in code marks is there: files, folders, modules, functions, classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.sources import CODE, PAGES, ROOT, code_spans, names

CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
"""Pages about what is; the changelog may name what was."""
OF_THE_CODE = [
    page for page in CURRENT if page.name in ("CONTRIBUTING.md", "architecture.md") or "decisions" in page.parts
]
"""Pages about the code alone: there every name with a dot in it has to be the code's."""
TOP = {path.name for path in ROOT.iterdir()}
FILES = {path.name for folder in (*CODE, "include", "docs") for path in (ROOT / folder).rglob("*") if path.is_file()}


def of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", CURRENT, ids=of)
def test_every_file_and_folder_that_a_page_names_is_there(page: Path) -> None:
    spans = [span for span in code_spans(page.read_text()) if re.fullmatch(r"[\w.-]+(/[\w.-]*)*", span)]
    paths = [span for span in spans if span.split("/")[0] in TOP and ("/" in span or "." in span)]
    files = [span for span in spans if "/" not in span and span.endswith((".py", ".ps1", ".sh"))]
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert missing + [file for file in files if file not in FILES | TOP] == []


@pytest.mark.parametrize("page", CURRENT, ids=of)
def test_every_class_that_a_page_names_is_there(page: Path) -> None:
    classes = re.compile(r"[A-Z]\w+(Trigger|Operator|Request|Point|Plan)")
    assert [span for span in code_spans(page.read_text()) if classes.fullmatch(span) and span not in names()] == []


@pytest.mark.parametrize("page", OF_THE_CODE, ids=of)
def test_every_function_that_a_page_about_the_code_names_is_there(page: Path) -> None:
    dotted = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
    spans = {span for span in code_spans(page.read_text()) if dotted.fullmatch(span)} - TOP
    named = {span for span in spans if not (span.endswith((".yaml", ".htm")) or Path(span).name in FILES)}
    assert [span for span in sorted(named) if not is_there(span)] == []


@pytest.mark.parametrize("page", CURRENT, ids=of)
def test_every_module_that_a_page_names_from_its_root_is_there(page: Path) -> None:
    roots = r"(?<![\w./-])(?:include|perennial|lab|demo|bench|tests)(?:\.[A-Za-z_]\w*)+"
    spans = {span for span in re.findall(roots, page.read_text()) if not span.endswith(".md")}
    assert [span for span in sorted(spans) if not is_there_from_its_root(span)] == []


def is_there_from_its_root(dotted: str) -> bool:
    """True when `package.module.function` leads to a module, and to what is in it."""
    place, names_left = ROOT / "plugins" if dotted.startswith("perennial") else ROOT, dotted.split(".")
    while names_left and (place / names_left[0]).is_dir():
        place /= names_left.pop(0)
    if not names_left:
        return True
    return (place / f"{names_left[0]}.py").exists() and is_there(".".join(names_left))


def is_there(dotted: str) -> bool:
    """True when each part of `module.Class.member` knows the next one."""
    before, *after = dotted.split(".")
    for name in after:
        if name not in names().get(before, ()):
            return False
        before = name
    return True


def test_a_name_that_is_not_there_is_found() -> None:
    assert is_there("guards.check_tenant")
    assert is_there("manifest.Manifest.moved")
    assert not is_there("guards.check_nobody")
    assert not is_there("nothing.check_tenant")
    assert is_there_from_its_root("lab.faults.control.LabFaults.add")
    assert is_there_from_its_root("perennial.backup")
    assert not is_there_from_its_root("lab.faults.controls")
    assert not is_there_from_its_root("lab.faults.control.Nobody")
