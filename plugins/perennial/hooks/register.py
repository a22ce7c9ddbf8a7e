"""Reads the register, tenants.yaml and plans.yaml, from a folder or from s3://; the rules judge what it says.

A thousand steps want it at nine o'clock, and it changes once a week: it is judged once for each change and process.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from threading import Lock

import yaml

from include.rules.errors import ConfigurationError, PerennialError
from include.rules.register.register import Register, parse_register
from perennial.hooks.asynchronous import LoopLocks, no_garbage_collection, set_aside_what_is_there
from perennial.hooks.register_files import PLANS, TENANTS, MissingRegisterError, Pair, is_in_s3, read_pair
from perennial.settings import Settings

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML was built with it: five times as fast."""

GOOD_ENOUGH = 60.0
"""Seconds for which a look at a register in S3 will do for a step that is one of very many."""


@dataclass(frozen=True)
class _Look:
    """What a look at the register has found: the register, or why there is none.

    Attributes:
        began: When (time.monotonic): whoever has asked before that knows all that was there when it asked.
        pair: The files; None when they could not be read.
    """

    began: float
    pair: Pair | None
    outcome: Register | PerennialError


@dataclass
class _Shelf:
    """The last look at the register of each place, for all threads and event loops of this process."""

    _looks: dict[tuple[str, str], _Look] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _largest: int = 0

    def last(self, place: tuple[str, str]) -> _Look | None:
        with self._lock:
            return self._looks.get(place)

    def put(self, place: tuple[str, str], look: _Look) -> None:
        """Keep a look, unless another thread has put down a later one."""
        with self._lock:
            kept = self._looks.get(place)
            if kept is None or kept.began <= look.began:
                self._looks[place] = look

    def is_large(self, register: Register) -> bool:
        """Whether it has twice as many tenants as any that this was true of; so it is at most some ten times."""
        with self._lock:
            grown = len(register.tenants) >= max(1, 2 * self._largest)
            if grown:
                self._largest = len(register.tenants)
        return grown


_shelf = _Shelf()
_turns = LoopLocks()
"""One look at a time: whoever waited for its turn takes the look that began meanwhile."""


async def read_register(settings: Settings, *, fresh: bool = True) -> Register:
    """The register that the settings name, judged.

    Args:
        fresh: As it stands when it is asked for. False for one of very many steps: where a look costs requests to S3,
            what this process has seen within GOOD_ENOUGH will do.

    Raises:
        ConfigurationError: when a file is missing or no YAML, or its shape is wrong as a whole.
    """
    place = settings.config, settings.aws_conn_id
    wanted = time.monotonic() - (GOOD_ENOUGH if not fresh and is_in_s3(settings) else 0)
    async with _turns.of(" ".join(place)):
        look = _shelf.last(place)
        if look is None or look.began < wanted:
            look = await _look(settings, look)
            _shelf.put(place, look)
    if isinstance(look.outcome, PerennialError):
        raise look.outcome.with_traceback(None)  # one look's, for all who have waited for it
    return look.outcome


async def find_register(settings: Settings, *, fresh: bool = True) -> Register | None:
    """Read the register like `read_register`; None when there is no tenants.yaml at all."""
    try:
        return await read_register(settings, fresh=fresh)
    except MissingRegisterError:
        return None


async def _look(settings: Settings, last: _Look | None) -> _Look:
    """Look at the files, and judge them, away from the event loop, if they are not those of the last look.

    A register is nine objects for each tenant that every collection of cyclic garbage would look at. The first one of a
    process is set aside, and one that has grown to twice as many: with it goes for good what steps hold in cycles at
    that moment, so that this must not be done at each change.
    """
    began = time.monotonic()
    try:
        pair = await read_pair(settings, last.pair if last else None)
    except PerennialError as error:
        return _Look(began, None, error)
    if last and pair.is_same_as(last.pair):
        return _Look(began, pair, last.outcome)
    try:
        register = await asyncio.to_thread(_judge, pair, settings.config)
    except ConfigurationError as error:
        return _Look(began, pair, error)
    if _shelf.is_large(register):
        set_aside_what_is_there()
    return _Look(began, pair, register)


def _judge(pair: Pair, config: str) -> Register:
    with no_garbage_collection():
        return parse_register(
            _yaml(pair.tenants.content, f"{config}/{TENANTS}"),
            _yaml(pair.plans.content, f"{config}/{PLANS}"),
            tenants_source=TENANTS,
            plans_source=PLANS,
        )


def _yaml(content: bytes, source: str) -> object:
    try:
        text = str(content, "utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{source} cannot be read: {error}.", why="No tenant can be read from it.", todo="Save it as UTF-8."
        ) from error
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a safe loader, in C
    except (yaml.YAMLError, ValueError) as error:  # a date that is none raises ValueError
        raise ConfigurationError(
            f"{source} is no YAML: {error}.", why="No tenant can be read from it.", todo="Correct the file."
        ) from error
