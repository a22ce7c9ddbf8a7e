"""docs/retention.md: its calendar, its examples and its list of guards are what the rules say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from include.rules.points.manifest import Expiry
from include.rules.points.requests import SLOT_FORMATS, Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.explanations import explain
from include.rules.retention.objections import Guard
from include.rules.retention.periods import WEEK
from include.rules.retention.plan import plan_retention
from include.rules.retention.reports import NEEDS_OPERATOR
from include.rules.retention.timeline import TimelinePoint
from tests.unit.retention.timelines import DAY, NOW, POLICY, hold, moment, point

PAGE = (Path(__file__).parents[3] / "docs" / "retention.md").read_text()
WEEKS = 15
NIGHTLY = timedelta(hours=2)
"""Daily points of the page are of two in the morning; the slot in their ids has no hour."""


def test_the_calendar_shows_what_is_kept_of_a_point_every_night() -> None:
    assert f"```\n{calendar()}\n```" in PAGE, f"the page should show:\n{calendar()}"


def calendar() -> str:
    """A line for each of the last weeks, a letter for each tier for which a day's point stands, older points below."""
    nights = [moment("2024-01-01") + NIGHTLY + number * DAY for number in range((NOW - moment("2024-01-01")).days + 1)]
    plan = plan_retention("acme", [point(night) for night in nights], POLICY, NOW)
    letters = {
        verdict.point.time.date(): "".join(reason.text[0] for reason in verdict.reasons if reason.text[0] in "dwmy")
        for verdict in plan.kept
    }
    first, last = WEEK.number(NOW) - WEEKS + 1, WEEK.number(NOW)
    lines = ["week       from     Mon  Tue  Wed  Thu  Fri  Sat  Sun"]
    for monday in (WEEK.first_day(number) for number in range(first, last + 1)):
        days = [monday + number * DAY for number in range(7)]
        cells = " ".join(f"{letters.get(day, '.'):4}" for day in days if day <= NOW.date())
        lines.append(f"{WEEK.label(monday)}   {monday:%d %b}   {cells}".rstrip())
    older = [f"{day} {kept}" for day, kept in sorted(letters.items()) if day < WEEK.first_day(first)]
    return "\n".join([*lines, "", "before:", *("   ".join(older[row : row + 5]) for row in range(0, len(older), 5))])


def test_the_examples_are_what_the_plan_says() -> None:
    rows = [
        [cell.strip(" `") for cell in row.split("|")[1:-1]] for row in PAGE.splitlines() if row.startswith("| `acme-")
    ]
    assert len(rows) > 10
    plan = plan_retention("acme", [described(name, state) for name, state, _ in rows], POLICY, NOW)
    assert list(explain(plan)) == [f"{name}: {reasons_of}" for name, _, reasons_of in rows]


def described(name: str, state: str) -> TimelinePoint:
    """The point of a row: kind and time from its id, the rest from words like `verified, on hold until 2026-12-31`."""
    _, kind, slot = name.split("-", 2)
    time = datetime.strptime(slot, SLOT_FORMATS[Kind(kind)]).replace(tzinfo=UTC)
    changes: dict[str, Any] = {"id": name, "time": time + NIGHTLY if kind == "daily" else time}
    first, *more = state.split(", ")
    for words in more:
        if found := re.fullmatch(r"on hold until (\S+)", words):
            changes["hold"] = hold(found[1])
        elif found := re.fullmatch(r"marked (\S+) (\S+)Z", words):
            changes["expiry"] = Expiry(marked_at=moment(f"{found[1]}T{found[2]}"), previous_state=State.VERIFIED)
        else:
            raise AssertionError(words)
    return point(changes.pop("time"), Kind(kind), State(first), **changes)


def test_every_guard_is_on_the_page() -> None:
    named = set(re.findall(r"^\| ([A-Z_]+) \|", PAGE, re.MULTILINE))
    assert named == {"EMPTY_POLICY", *Guard}


def test_the_page_names_the_guards_that_call_nobody() -> None:
    named = re.search(r"^All of them but ([A-Z_, and]+) fail the day's run", PAGE, re.MULTILINE)
    assert named
    assert set(re.split(", | and ", named[1])) == {guard.value for guard in set(Guard) - NEEDS_OPERATOR}


def test_every_setting_of_a_policy_is_on_the_page_with_its_default() -> None:
    defaults = {name: str(field.default) for name, field in RetentionPolicy.model_fields.items()}
    assert dict(re.findall(r"^\| `([a-z_]+)` \| (\S+) \|", PAGE, re.MULTILINE)) == defaults
