"""Steps: a trigger never takes its triggerer down, and every way to end is an event."""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import TaskFailedEvent, TaskSuccessEvent, TriggerEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import perennial
from include.rules.errors import PartError
from include.rules.points.parts import PartName
from perennial.retention.steps import PreviewRetentionTrigger
from perennial.steps.operator import StepOperator
from perennial.steps.trigger import StepResult, StepTrigger, describe
from tests.support.triggers import trigger_of

Class = TypeVar("Class", bound=type)


def every_leaf(base: Class) -> list[Class]:
    """The classes of a family that have no children of their own, whatever module they live in."""
    for module in pkgutil.walk_packages(perennial.__path__, "perennial."):
        importlib.import_module(module.name)

    def leaves(cls: Any) -> set[Any]:
        children = [child for child in cls.__subclasses__() if child.__module__.startswith("perennial.")]
        return set().union(*(leaves(child) for child in children)) if children else {cls}

    return sorted(leaves(base), key=lambda cls: str(cls.__name__))


TRIGGERS = every_leaf(StepTrigger)
OPERATORS = every_leaf(StepOperator)

LEAVES = st.none() | st.booleans() | st.floats() | st.text() | st.integers()
NONSENSE = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)
KEYS = st.sampled_from(["request", "role", "tenant", "form", "moment", "deadline", "task", "run", "log", "x"])
NO_REQUESTS = [None, "", "|||", "{{ nonsense", 7, ["a"], {"a": 1}, "../../etc/passwd|daily|2026-01-01"]


async def events(trigger: StepTrigger) -> list[TriggerEvent]:
    return [event async for event in trigger.run()]


def ended(trigger: StepTrigger) -> TriggerEvent:
    outcomes = asyncio.run(events(trigger))
    assert len(outcomes) == 1
    return outcomes[0]


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
    event = ended(trigger_of(cls, **dict.fromkeys(cls.fields, "acme|daily|2026-11-23")))
    assert isinstance(event, TaskFailedEvent)
    assert event.xcoms
    assert "PERENNIAL_VAULT" in str(event.xcoms["failure"])


@pytest.mark.parametrize("cls", [cls for cls in TRIGGERS if cls.fields])
def test_a_missing_field_fails_the_task_with_its_name(cls: type[StepTrigger]) -> None:
    event = ended(trigger_of(cls))
    assert isinstance(event, TaskFailedEvent)
    assert event.xcoms
    assert f"without {', '.join(name for name in cls.fields if not hasattr(cls, name))}." in str(event.xcoms["failure"])


def test_a_field_with_a_value_of_its_own_may_be_missing() -> None:
    class Greets(Works):
        name: str
        greeting: str = "hello"

    assert isinstance(ended(Greets(name="ada")), TaskSuccessEvent)
    assert Greets(name="ada").serialize()[1] == {"name": "ada", "greeting": "hello", "deadline": 3600}


@pytest.mark.parametrize("base", [StepTrigger, StepOperator])
@pytest.mark.parametrize(
    ("annotations", "message"),
    [({"count": int}, "a step's field is text"), ({"log": str}, "uses that name itself"), ({"deadline": str}, "uses")],
)
def test_a_class_with_a_wrong_field_is_no_class(
    base: type[StepTrigger] | type[StepOperator], annotations: dict[str, type], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        type("Wrong", (base,), {"__annotations__": annotations})


@pytest.mark.parametrize("cls", OPERATORS)
def test_an_operator_names_a_trigger_that_is_there_and_gives_it_all_of_its_fields(cls: type[StepOperator]) -> None:
    trigger = cls.load_trigger()
    assert trigger in TRIGGERS
    assert set(cls.template_fields) == set(trigger.fields)


def test_every_trigger_has_its_operator() -> None:
    assert sorted(cls.trigger for cls in OPERATORS) == sorted(
        f"{cls.__module__}.{cls.__qualname__}" for cls in TRIGGERS
    )


def test_an_operator_refuses_a_field_that_is_missing_or_no_text() -> None:
    class Works(StepOperator):
        trigger = "tests.plugins.steps.test_steps.Works"
        name: str
        greeting: str = "hello"

    task = Works(task_id="works", name=PartName.BAK)
    assert task.start_trigger_args
    assert task.start_trigger_args.trigger_kwargs == {"name": "bak", "greeting": "hello", "deadline": 3600}
    assert type(task.start_trigger_args.trigger_kwargs["name"]) is str
    for fields in ({}, {"name": None}, {"name": 7}):
        with pytest.raises(TypeError, match="name is"):
            Works(task_id="works", **fields)


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


class Instance(SimpleNamespace):
    """As much of a task instance as `execute` needs."""

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def executed(trigger: str) -> tuple[Any, dict[str, Any]]:
    """Run a step as a worker does; returns its result and what it has pushed."""
    operator = type("Executed", (StepOperator,), {"trigger": f"{__name__}.{trigger}"})
    instance = Instance(task_id="step", dag_id="dag", run_id="run", pushed={})
    return operator(task_id="step").execute({"ti": instance}), instance.pushed


def test_a_worker_does_the_same_work() -> None:
    assert executed("Works") == ({"done": 1}, {"return_value": {"done": 1}})


def test_on_a_worker_too_a_failure_says_why() -> None:
    with pytest.raises(AirflowException, match=r"^It broke\. Bad luck\. Try again\. \[part=x\]$"):
        executed("Fails")


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


@pytest.mark.parametrize(
    ("cls", "message"), [(Fails, "It broke. Bad luck. Try again. [part=x]"), (Bug, "IndexError: ")]
)
def test_an_error_becomes_a_failed_task_that_says_why(cls: type[StepTrigger], message: str) -> None:
    event = ended(cls())
    assert isinstance(event, TaskFailedEvent)
    assert event.xcoms
    assert str(event.xcoms["failure"]).startswith(message)


def test_success_ends_the_task_with_what_the_step_says() -> None:
    event = ended(Works())
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms == {"return_value": {"done": 1}}
    assert json.dumps(event.xcoms)
