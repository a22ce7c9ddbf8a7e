"""The habit of CONTRIBUTING.md that can be counted: no module grows beyond its limit."""

from __future__ import annotations

import re

import pytest

from tests.docs.sources import CODE, ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
LIMIT = int(re.findall(r"a module has 60 to 200 lines, none over (\d+)", PAGE)[0])


@pytest.mark.parametrize("folder", CODE)
def test_no_module_is_longer_than_its_limit(folder: str) -> None:
    modules = {file: len(file.read_text().splitlines()) for file in (ROOT / folder).rglob("*.py")}
    assert [f"{file.relative_to(ROOT)}: {lines} lines" for file, lines in modules.items() if lines > LIMIT] == []
    assert modules
