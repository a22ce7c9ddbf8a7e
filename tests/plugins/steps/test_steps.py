"""Steps: a trigger never takes its triggerer down, and every way to end is an event."""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
from typing import Any

import pytest
from airflow.triggers.base import TaskFailedEvent, TaskSuccessEvent, TriggerEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import perennial
from include.rules.errors import PartError
from perennial.retention.steps import PreviewRetentionTrigger
from perennial.steps.trigger import StepResult, StepTrigger, describe
from tests.support.triggers import trigger_of


def every_trigger() -> list[type[StepTrigger]]:
    """The triggers that tasks name: the leaves of the family, whatever module they live in."""
    for module in pkgutil.walk_packages(perennial.__path__, "perennial."):
        importlib.import_module(module.name)

    def leaves(cls: type[StepTrigger]) -> set[type[StepTrigger]]:
        children = [child for child in cls.__subclasses__() if child.__module__.startswith("perennial.")]
        return set().union(*(leaves(child) for child in children)) if children else {cls}

    return sorted(leaves(StepTrigger), key=lambda cls: cls.__name__)


TRIGGERS = every_trigger()

LEAVES = st.none() | st.booleans() | st.floats() | st.text() | st.integers()
NONSENSE = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)
KEYS = st.sampled_from(["request", "role", "tenant", "form", "moment", "deadline", "task", "run", "log", "x"])
NO_REQUESTS = [None, "", "|||", "{{ nonsense", 7, ["a"], {"a": 1}, "../../etc/passwd|daily|2026-01-01"]


async def events(trigger: StepTrigger) -> list[TriggerEvent]:
    return [event async for event in trigger.run()]


def ended(trigger: StepTrigger) -> TriggerEvent:
    found = asyncio.run(events(trigger))
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("cls", TRIGGERS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(args=st.lists(NONSENSE, max_size=3), kwargs=st.dictionaries(KEYS, NONSENSE))
def test_no_constructor_ever_raises(cls: type[StepTrigger], args: list[Any], kwargs: dict[str, Any]) -> None:
    trigger = cls(*args, **kwargs)
    path, given_again = trigger.serialize()
    assert path == f"{cls.__module__}.{cls.__qualname__}"
    assert cls(**given_again).serialize()[0] == path


@pytest.mark.parametrize(
    ("cls", "value"),
    # No tenant is sense to the preview of retention: the whole fleet.
    [(cls, value) for cls in TRIGGERS for value in NO_REQUESTS if (cls, value) != (PreviewRetentionTrigger, "")],
)
def test_nonsense_in_the_fields_fails_the_task_and_nothing_else(
    cls: type[StepTrigger], value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_VAULT", "s3://nowhere")
    monkeypatch.setenv("PERENNIAL_BACKUP_URL", "s3://nowhere")
    monkeypatch.setenv("PERENNIAL_CONFIG", "/nonexistent")
    trigger = trigger_of(cls, **dict.fromkeys(cls.fields, value))
    assert isinstance(ended(trigger), TaskFailedEvent)


@pytest.mark.parametrize("cls", TRIGGERS)
def test_a_missing_setting_fails_the_task_with_the_variables_name(cls: type[StepTrigger]) -> None:
    fields = {"request": "acme|daily|2026-11-23", "tenant": "acme", "confirm": "acme", "moment": "2026-11-23"}
    event = ended(trigger_of(cls, **fields))
    assert isinstance(event, TaskFailedEvent)
    assert event.xcoms
    assert "PERENNIAL_VAULT" in str(event.xcoms["failure"])


class Sleeps(StepTrigger):
    async def work(self) -> StepResult:
        await asyncio.sleep(30)
        return {}


class Fails(StepTrigger):
    async def work(self) -> StepResult:
        raise PartError("It broke.", why="Bad luck.", todo="Try again.", part="x")


class Bug(StepTrigger):
    async def work(self) -> StepResult:
        return {"x": [][1]}


class Works(StepTrigger):
    async def work(self) -> StepResult:
        return {"done": 1}


def test_a_step_says_what_it_did_line_by_line() -> None:
    result: StepResult = {
        "restore": "r-1",
        "way_back": None,
        "seconds": 0,
        "steps": {"copy": "6 files", "check": "sound"},
    }
    assert describe(result).splitlines() == [
        "restore: r-1",
        "seconds: 0",
        "steps:",
        "  copy: 6 files",
        "  check: sound",
    ]


def test_the_deadline_ends_a_step_that_hangs() -> None:
    event = ended(Sleeps(deadline=0.05))
    assert isinstance(event, TaskFailedEvent)
    assert event.xcoms
    assert "did not end within" in str(event.xcoms["failure"])


@pytest.mark.parametrize(("cls", "said"), [(Fails, "It broke. Bad luck. Try again. [part=x]"), (Bug, "IndexError: ")])
def test_an_error_becomes_a_failed_task_that_says_why(cls: type[StepTrigger], said: str) -> None:
    event = ended(cls())
    assert isinstance(event, TaskFailedEvent)
    assert event.xcoms
    assert str(event.xcoms["failure"]).startswith(said)


def test_success_ends_the_task_with_what_the_step_says() -> None:
    event = ended(Works())
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms == {"return_value": {"done": 1}}
    assert json.dumps(event.xcoms)
