"""What steps have in common by which a person decides something: who it was, and the days that a form names."""

from __future__ import annotations

from datetime import date, datetime

from include.rules.errors import ConfigurationError, RefusedError
from include.rules.points.requests import parse_moment
from perennial.steps.trigger import StepTrigger


class DecisionTrigger(StepTrigger):
    """Base of steps that write down what a person has decided.

    Fields:
        author: Who triggered the run; empty where Airflow does not know, and then the run stands for its author.
    """

    author: str

    @property
    def decided_by(self) -> str:
        """Who decided it."""
        return self.author.strip() or f"unknown, by run {self.owner}"


def day_to_come(text: str, now: datetime) -> date:
    """A day (UTC) that is not over yet."""
    day = _day(text)
    if day < now.date():
        raise RefusedError(f"{day} is over.", why="Nothing was done.", todo="Choose a day that is still to come.")
    return day


def day_that_has_come(text: str, now: datetime) -> date:
    """A day (UTC) that has begun."""
    day = _day(text)
    if day > now.date():
        raise RefusedError(
            f"{day} is still to come.", why="Nothing was done.", todo="Write down what has happened, once it has."
        )
    return day


def _day(text: str) -> date:
    try:
        return parse_moment(text).date()
    except ValueError as error:
        raise ConfigurationError(f"{error}.", why="Nothing was done.", todo="Write the day as 2027-12-31.") from error
