"""Calls that the lab's cloud has answered, by name, from its log: a line for each, with its name and its status."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_LINE = re.compile(r"^(\S+ \d\d:\d\d):\S+ lab\.cloud (\w+:\w+) (\d+) ")


class CloudCall(NamedTuple):
    """One answered call: its minute (`2026-11-26 05:44`), its name (`ec2:CreateSnapshot`), the HTTP status."""

    minute: str
    name: str
    status: int


class CloudLog:
    """What the cloud's log says from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._start = file.stat().st_size if file.exists() else 0

    def calls(self) -> list[CloudCall]:
        """The calls answered since this was made."""
        with self._file.open("rb") as log:
            log.seek(self._start)
            return parse_calls(log.read().decode(errors="replace").splitlines())


def parse_calls(lines: Iterable[str]) -> list[CloudCall]:
    """The calls that lines of the cloud's log tell of; other lines are passed over."""
    found = (_LINE.match(line) for line in lines)
    return [CloudCall(each[1], each[2], int(each[3])) for each in found if each]


def by_name(calls: Iterable[CloudCall]) -> Counter[str]:
    """How many calls of each name there were."""
    return Counter(call.name for call in calls)


def busiest_minute(calls: Iterable[CloudCall], name: str) -> int:
    """How many calls of that name fell into the minute with the most of them."""
    minutes = Counter(call.minute for call in calls if call.name == name)
    return max(minutes.values(), default=0)
