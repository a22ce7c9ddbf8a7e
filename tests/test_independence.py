"""The lab's tests stand on the lab alone: `make test` leaves them out while nothing of that has changed.

Asked of their text, for they may be left out just then, and whatever else changes may change this.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LAB_TESTS = Path(__file__).with_name("lab")
OF_THE_LAB = "tests.support.labs"
"""Fixtures that start the lab's servers and know nothing else; the stamp has them."""


def test_no_test_of_the_lab_asks_for_a_fixture_that_stands_on_the_product(request: pytest.FixtureRequest) -> None:
    asked = {name for file in LAB_TESTS.rglob("*.py") for name in fixtures_asked_for(file)}
    assert "lab_cloud" in asked
    manager, session = request._fixturemanager, request.session
    automatic = tuple(manager._getautousenames(session))
    _, definitions = manager.getfixtureclosure(session, (*automatic, *asked), ignore_args=set())
    modules = {name: found[-1].func.__module__ for name, found in definitions.items()}
    assert modules["lab_cloud_server"] == OF_THE_LAB
    strangers = {name: of for name, of in modules.items() if of.startswith("tests.support.") and of != OF_THE_LAB}
    assert not strangers


def fixtures_asked_for(file: Path) -> Iterator[str]:
    """The names of fixtures from elsewhere that a module's tests and fixtures take, or use without taking."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    own = {function.name for function in functions}
    for function in functions:
        decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
        if function.name.startswith("test_") or any(name.startswith("pytest.fixture") for name in decorators):
            yield from (argument.arg for argument in function.args.args if argument.arg not in own)
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("usefixtures", "getfixturevalue")):
            yield from (str(name.value) for name in node.args if isinstance(name, ast.Constant))
