"""One table says what moves the state of a recovery point that there is, and `Manifest.moved` alone writes it."""

import ast
import itertools
from pathlib import Path

import pytest

from include.rules.errors import RefusedError
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.transitions import TRANSITIONS, Act, State, allows, outcomes
from tests.unit.builders import NOW, running

SOURCES = Path(__file__).parents[3]
WRITERS = {
    "include/rules/points/manifest.py": ["moved"],
    "include/rules/backup/attempts.py": ["first_attempt"],  # makes the manifest: `open` of the table
    "include/rules/restore/record.py": ["opened"],  # the state of a restore
    "include/rules/restore/outcome.py": ["finished"],  # the state of a restore
    "include/rules/points/shared_snapshots.py": [
        "given_up",
        "begun",
        "sealed",
        "left",
    ],  # the state of a shared snapshot
}
"""The only functions that write the state of a document of the vault."""


def in_state(state: State) -> Manifest:
    expiry = {"marked_at": NOW, "was": "failed"} if state in (State.EXPIRING, State.EXPIRED) else None
    return Manifest.model_validate({**running().model_dump(mode="json"), "state": state, "expiry": expiry})


@pytest.mark.parametrize(
    ("act", "before", "after"),
    [
        ("open", None, "running"),
        ("open again", "running pending failed", "running"),
        ("resume", "running", "running"),
        ("resume", "pending", "pending"),
        ("drop a part", "running pending verified", "running"),
        ("complete", "running pending", "pending"),
        ("complete", "verified", "verified"),
        ("verify", "pending verified", "verified"),
        ("close", "running", "failed"),
        ("abandon", "running", "failed"),
        ("lose parts", "pending verified", "failed"),
        ("lose parts", "expiring", "expiring"),
        ("mark", "pending verified failed", "expiring"),
        ("take back", "expiring", "pending verified failed"),
        ("begin deletion", "expiring", "expiring"),
        ("find whole", "expiring", "pending verified failed"),
        ("leave a tombstone", "expiring expired", "expired"),
    ],
)
def test_what_an_act_makes_of_a_point(act: str, before: str | None, after: str):
    for state in before.split() if before else [None]:
        assert outcomes(Act(act), State(state) if state else None) == tuple(State(name) for name in after.split())


def test_there_are_no_other_transitions():
    """The list above has as many arrows as the table, so that a new one is listed there too."""
    assert len(TRANSITIONS) == len(set(TRANSITIONS)) == 31
    assert {arrow.act for arrow in TRANSITIONS} == set(Act)


@pytest.mark.parametrize(("act", "state"), list(itertools.product(Act, State)))
def test_a_point_moves_by_the_table_and_by_nothing_else(act: Act, state: State):
    manifest = in_state(state)
    known = Expiry(marked_at=NOW, previous_state=State.FAILED)
    assert allows(state, act) == bool(outcomes(act, state))
    for after in State:
        changes = {"expiry": known if after in (State.EXPIRING, State.EXPIRED) else None}
        if after in outcomes(act, state):
            assert manifest.moved(act, to=after, **changes) == in_state(after)
        else:
            with pytest.raises(RefusedError, match=f"is {state}: the act `{act}` is not allowed then"):
                manifest.moved(act, to=after, **changes)


def test_a_choice_that_the_table_leaves_has_to_be_made():
    with pytest.raises(RefusedError, match="is expiring: the act `take back` is not allowed then"):
        in_state(State.EXPIRING).moved(Act.TAKE_BACK, expiry=None)


def test_an_expired_point_stays_expired():
    assert {arrow.after for arrow in TRANSITIONS if arrow.before is State.EXPIRED} == {State.EXPIRED}


def test_no_other_module_writes_the_state_of_a_recovery_point():
    writers: dict[str, list[str]] = {}
    for folder in ("include/rules", "plugins/perennial"):
        for path in sorted((SOURCES / folder).rglob("*.py")):
            for function in _functions(ast.parse(path.read_text())):
                if _writes_a_state(function):
                    writers.setdefault(str(path.relative_to(SOURCES)), []).append(function.name)
    assert writers == WRITERS


def test_the_scan_sees_each_way_to_write_a_state():
    for body in (
        "m.model_copy(update={'state': new})",
        "changes = {'token': 1} | {'state': new}; return m.model_copy(update=changes)",
        "changes['state'] = new; return m.model_copy(update=changes)",
        "m.model_copy(update=dict(state=new))",
        "Manifest(id='x', state=new)",
        "m.state = new",
    ):
        (function,) = _functions(ast.parse(f"def change(m, new, changes): {body}"))
        assert _writes_a_state(function), body
    (reader,) = _functions(ast.parse("def report(m): return {'state': m.state}"))
    assert not _writes_a_state(reader)


def _functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _writes_a_state(function: ast.AST) -> bool:
    """True for a function that names `state` in what it copies or makes a document with, or assigns to it."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    if any(_called(call) == "Manifest" and _has_state_keyword(call) for call in calls):
        return True
    if any(
        isinstance(n, ast.Attribute) and n.attr == "state" and isinstance(n.ctx, ast.Store) for n in ast.walk(function)
    ):
        return True
    if not any(_called(call) in ("model_copy", "model_construct", "replace") for call in calls):
        return False
    keys = [key for node in ast.walk(function) if isinstance(node, ast.Dict) for key in node.keys]
    keys += [node.slice for node in ast.walk(function) if isinstance(node, ast.Subscript)]
    named = any(isinstance(key, ast.Constant) and key.value == "state" for key in keys)
    return named or any(_has_state_keyword(call) for call in calls)


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _has_state_keyword(call: ast.Call) -> bool:
    return any(keyword.arg == "state" for keyword in call.keywords)
