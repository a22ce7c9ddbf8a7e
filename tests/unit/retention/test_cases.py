"""The cases: points, a moment and a policy, and what is kept and why. docs/retention.md says how one is written."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from include.rules.points.manifest import Expiry
from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.plan import Action
from include.rules.retention.timeline import TimelinePoint
from tests.unit.retention.timelines import hold, moment, plan, point

DATA = Path(__file__).parent / "data"
CASES = [case for name in ("retention_cases.json", "more_cases.json") for case in json.loads((DATA / name).read_text())]
FIELDS = {"id", "at", "kind", "state", "hold", "since", "half_restored", "needs", "marked_at", "deletion_began_at"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_case(case: dict[str, Any]) -> None:
    policy = RetentionPolicy(**(case["policy"] or {}))
    planned = plan([described(given) for given in case["points"]], datetime.fromisoformat(case["now"]), policy)
    assert {v.point.id: [reason.text for reason in v.reasons] for v in planned.kept} == case["keep"]
    assert sorted(v.point.id for v in planned.to(Action.EXPIRE)) == case["expire"]
    for name, until in case.get("until", {}).items():
        assert planned.verdicts[name].until == (date.fromisoformat(until) if until else None), name
    for name, action in case.get("actions", {}).items():
        assert planned.verdicts[name].action == action, name


def described(given: dict[str, Any]) -> TimelinePoint:
    """The point that a case describes."""
    assert set(given) <= FIELDS
    kind = Kind.DAILY if given["kind"] == "scheduled" else Kind(given["kind"])
    changes: dict[str, Any] = {"id": given["id"], "half_restored": given.get("half_restored")}
    changes["needs"] = tuple(given.get("needs", ()))
    if given.get("hold"):
        changes["hold"] = hold()
    if "since" in given:
        changes["since"] = datetime.fromisoformat(given["since"])
    if "marked_at" in given:
        began = given.get("deletion_began_at")
        changes["expiry"] = Expiry(
            marked_at=moment(given["marked_at"]),
            previous_state=State(given["state"]),
            deletion_began_at=moment(began) if began else None,
        )
    state = State.EXPIRING if "marked_at" in given else State(given["state"])
    return point(datetime.fromisoformat(given["at"]), kind, state, **changes)


def test_no_two_cases_have_one_name() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)
