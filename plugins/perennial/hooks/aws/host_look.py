"""A look at a host that its tenants share: which volumes it has, where they are mounted, and what lies on them.

One command asks for all that the register says of a host, so that a thousand tenants of ten hosts take ten commands.
What was seen is believed for five minutes by those who can live with that; who cannot says since when it must have been
seen. That a host, or AWS, says nothing is remembered too, for those who would only wait for the same again. That a
script has not come to its end is not: the folder of one tenant may be why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from include.rules.errors import UnavailableError
from include.rules.points.looks import BELIEVED
from include.rules.register.host_facts import Attachment, Disk, HostFacts, PlaceFacts
from include.rules.register.tenants import Platform
from perennial.hooks.asynchronous import PerLoop
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.host_scripts import OFFLINE_MARKER
from perennial.hooks.aws.hosts import Hosts, ScriptError, ScriptRefusedError
from perennial.hooks.freshness import Freshness
from perennial.settings import Settings

FRESH_SECONDS = BELIEVED.total_seconds()
"""For how long tenants of a host share what was seen there."""

SECONDS, START_WITHIN = 120, 60
"""How long the script may take, and how soon the host's agent has to begin: it is about some folders' names."""

ANSWER_CHARACTERS = 20_000
"""What one command may answer; Systems Manager cuts off at 24,000."""


@dataclass(frozen=True)
class Question:
    """What a host is asked about: folders on it, and volumes that should be attached to it."""

    folders: frozenset[str] = frozenset()
    volumes: frozenset[str] = frozenset()

    def __or__(self, other: Question) -> Question:
        return Question(self.folders | other.folders, self.volumes | other.volumes)


@dataclass
class _Memory:
    """What is known of one host, each with the time (of the loop) before which it was asked for.

    Until `alone_until` everybody asks for what is his own: a question about all had no answer, and one of those had.
    `silence` is what the last question came to that nobody has answered, and `silent_at` when that was known.
    """

    volumes: dict[str, tuple[float, tuple[Attachment, ...] | None]] = field(default_factory=dict)
    places: dict[str, tuple[float, PlaceFacts]] = field(default_factory=dict)
    flight: asyncio.Task[HostFacts] | None = None
    began: float = 0.0
    alone_until: float = 0.0
    silence: HostFacts | UnavailableError | None = None
    silent_at: float = 0.0

    def answer(self, question: Question, fresh: Freshness) -> HostFacts | None:
        """What is known and fresh enough; raises UnavailableError where that is that AWS has not said anything."""
        return self._facts(question, fresh.since) or self._no_answer(question, fresh.silent_since)

    def _facts(self, question: Question, since: float) -> HostFacts | None:
        """The answer, where all of it was seen since then."""
        volumes = {name: self.volumes[name] for name in question.volumes if name in self.volumes}
        places = {name: self.places[name] for name in question.folders if name in self.places}
        seen = [*(began for began, _ in volumes.values()), *(began for began, _ in places.values())]
        if len(seen) < len(question.volumes) + len(question.folders) or min(seen, default=since) < since:
            return None
        return HostFacts({k: v for k, (_, v) in volumes.items()}, {k: v for k, (_, v) in places.items()})

    def _no_answer(self, question: Question, since: float) -> HostFacts | None:
        """What is known where nobody had said anything by then, or later; raises UnavailableError where AWS had not."""
        if self.silence is None or self.silent_at < since:
            return None
        if isinstance(self.silence, UnavailableError):
            raise self.silence.with_traceback(None)  # raised for many: it would grow with each of them
        return self.silence if question.volumes <= self.silence.volumes.keys() else None

    def keep(self, facts: HostFacts) -> None:
        """Remember what was seen."""
        self.silence = None
        self.volumes |= {name: (self.began, value) for name, value in facts.volumes.items()}
        self.places |= {name: (self.began, value) for name, value in facts.places.items()}

    def keep_silence(self, silence: HostFacts | UnavailableError, now: float) -> None:
        """Remember that nobody has said anything."""
        self.silence, self.silent_at = silence, now


_memories: PerLoop[dict[tuple[Settings, str, Platform], _Memory]] = PerLoop(dict)


class HostLook:
    """The looks at one host; all of a triggerer share what they see.

    Args:
        settings: Say how AWS is reached.
        instance, platform: The host.
        neighbours: Says what else the register knows of this host, for the look that is about to be taken.
    """

    def __init__(
        self, settings: Settings, instance: str, platform: Platform, neighbours: Callable[[], Awaitable[Question]]
    ) -> None:
        self._ebs, self._hosts, self._label = Ebs.of(settings), Hosts.of(settings), settings.run_label("look")
        self._instance, self._platform, self._neighbours = instance, platform, neighbours
        self._memory = _memories.get().setdefault((settings, instance, platform), _Memory())

    async def facts(self, question: Question, fresh: Freshness) -> HostFacts:
        """The answer to the question, where it is fresh enough or after the host was asked.

        One command is under way to a host at a time: whoever comes meanwhile takes its answer, be it that the host does
        not say anything, if it was sent late enough.

        Raises:
            UnavailableError: when AWS does not say what is attached.
        """
        while True:
            if known := self._memory.answer(question, fresh):
                return known
            flight = self._memory.flight
            if flight is None or flight.done():
                flight = self._begin(question)
            elif self._memory.began < fresh.since:
                await asyncio.wait({flight})
                continue
            # Shielded: it goes on for the others when this one is ended.
            facts = await asyncio.shield(flight)
            if facts.silent and question.volumes <= facts.volumes.keys():
                return facts

    def remembered(self, question: Question, *, since: float) -> HostFacts | None:
        """The answer, or that there was none, where that was seen since then; nobody is asked.

        Raises:
            UnavailableError: when AWS has not said what is attached.
        """
        return self._memory.answer(question, Freshness(since, silent_since=since))

    def _begin(self, question: Question) -> asyncio.Task[HostFacts]:
        loop = asyncio.get_running_loop()
        self._memory.began = loop.time()
        self._memory.flight = flight = loop.create_task(self._look(question), name=f"look at {self._instance}")
        flight.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever waits for it hears of it
        return flight

    async def _look(self, own: Question) -> HostFacts:
        """Ask for all that the register knows of the host; where that fails on the host, for the asker's own alone: a
        folder of another tenant may hang. The next ones then do not wait for that folder again.
        """
        loop = asyncio.get_running_loop()
        question = own if loop.time() < self._memory.alone_until else own | await self._neighbours()
        try:
            volumes = await self._ebs.attachments(question.volumes)
        except UnavailableError as error:
            self._memory.keep_silence(error, loop.time())
            raise
        try:
            try:
                places = await self._places(question.folders)
            except ScriptRefusedError:
                raise
            except ScriptError:
                if question.folders == own.folders:
                    raise
                places = await self._places(own.folders)
                self._memory.alone_until = loop.time() + FRESH_SECONDS
        except (ScriptError, UnavailableError) as error:
            facts = HostFacts(volumes, silent=f"host {self._instance} could not be asked: {error.what.rstrip('.')}")
            if isinstance(error, UnavailableError | ScriptRefusedError):  # what has not even begun hangs on no folder
                self._memory.keep_silence(facts, loop.time())
            return facts
        facts = HostFacts(volumes, places)
        self._memory.keep(facts)
        return facts

    async def _places(self, folders: Iterable[str]) -> dict[str, PlaceFacts]:
        places: dict[str, PlaceFacts] = {}
        for some in _portions(sorted(folders)):
            outcome = await self._hosts.run(
                self._instance,
                self._platform,
                "inspect_volumes",
                {"FOLDERS": "\n".join(some), "OFFLINE_MARKER": OFFLINE_MARKER},
                label=self._label,
                limit=SECONDS,
                start_within=START_WITHIN,
                is_look=True,
            )
            try:
                places |= _read(some, outcome.answer())
            except (ValueError, KeyError, TypeError) as error:
                raise ScriptError(f"its answer cannot be read ({error}): {outcome.output[-200:]!r}") from error
        return places


def _portions(folders: list[str]) -> Iterator[list[str]]:
    """The folders in portions whose answers are short enough, each with a mount of its own at the worst."""
    portion, characters = list[str](), 0
    for folder in folders:
        characters += 3 * len(folder.encode()) + 170
        if portion and characters > ANSWER_CHARACTERS:
            yield portion
            portion, characters = [], 3 * len(folder.encode()) + 170
        portion.append(folder)
    if portion:
        yield portion


def _read(folders: list[str], answer: dict[str, Any]) -> dict[str, PlaceFacts]:
    """The answer of include/scripts/inspect_volumes.sh, by folder; raises ValueError when it is cut off."""
    places = {}
    for folder, (kind, empty, number, real, below) in zip(folders, answer["folders"], strict=True):
        mount, root, source, filesystem, disks = answer["mounts"].get(number, ("", "/", "", "", ()))
        places[folder] = PlaceFacts(
            kind=kind,
            empty=empty,
            real=real or folder,
            below=below,
            mount=mount,
            root=root,
            source=source,
            filesystem=filesystem,
            disks=tuple(Disk(name, serial) for name, serial in disks),
        )
    return places
