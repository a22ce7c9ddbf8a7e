"""How long Perennial waits for what, at most, and what it does then: all of it in one place.

What is not here (a slot for a backup on a busy server, somebody else's backup of the same database, a snapshot that is
still pending) is waited for until the step's own deadline; the lease of a busy tenant for PERENNIAL_LEASE_WAIT_SECONDS.
The pauses between two looks follow PERENNIAL_POLL_SECONDS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from perennial.hooks.asynchronous import poll_pauses


@dataclass(frozen=True)
class Wait:
    """Something that is waited for.

    Attributes:
        what: What has to happen.
        seconds: Within which time.
        then: What is done, or believed, when it has not.
    """

    what: str
    seconds: float
    then: str

    def __str__(self) -> str:
        """How long, in words."""
        return f"{self.seconds:g} s" if self.seconds < 120 else f"{self.seconds / 60:g} min"


AWS_ANSWER = Wait(
    "AWS carries out a call that it throttles, has a fault of its own with, or does not answer", 300, "the call fails"
)
SNAPSHOT_GRANTED = Wait(
    "AWS takes a snapshot of a volume of which it has too many under way, or was asked for too often",
    3 * 3600,
    "the step fails, with AWS's last answer",
)
SNAPSHOT_SHOWN = Wait("a look-up that AWS answers shows a snapshot", 120, "the snapshot is taken for gone")
VOLUME_SHOWN = Wait(
    "a look-up that AWS answers shows a new volume",
    300,
    "the step fails: a volume whose KMS key may not be used is answered, and then dropped without a word",
)
VOLUME_KNOWN = Wait("EC2 knows a new volume that it shows when it is to be attached", 60, "the call fails")
VOLUME_READY = Wait("a new volume is available, or attached", 900, "the step fails")
VOLUME_GONE = Wait("a host lets go of a volume", 600, "the volume is left there and named: an open file says never")
VOLUME_LET_GO = Wait("a volume is detached after its host was asked", 30, "the host is asked again")
HOST_UNMOUNTED = Wait("the host unmounts a volume by itself", 120, "it is detached all the same")
RESTORE_LOCK = Wait(
    "another restore of the same database ends, or the server sees that its connection is gone", 30, "this one refuses"
)
USERS_OUT = Wait("everybody is out of a database that a statement needs to itself", 15, "the statement fails")
COMMAND_BEGUN = Wait("the host's agent begins a script", 600, "SSM drops it (TimeoutSeconds)")
COMMAND_CANCELLED = Wait("a cancelled script ends", 120, "it is left: a host that hangs never says")
COMMAND_TOLD = Wait("SSM says how a script has ended whose time is over", 300, "nobody knows what it has done")


async def looks(wait: Wait, longest_pause: float, *, at_once: bool = True) -> AsyncIterator[None]:
    """When to look at what is waited for: at once, soon again, then less often, and once more when its time is over.

    Args:
        at_once: False for what cannot have happened yet.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + wait.seconds
    for pause in poll_pauses(longest_pause):
        if at_once:
            yield
        at_once = True
        note(f"this to happen: {wait.what}")
        left = end - loop.time()
        if left <= 0:
            return
        await asyncio.sleep(min(pause, left))


_latest: ContextVar[list[str]] = ContextVar("what is waited for")


@contextmanager
def noting() -> Iterator[list[str]]:
    """What the block and all that it begins wait for: the latest that `note` was told; empty until then."""
    latest: list[str] = []
    token = _latest.set(latest)
    try:
        yield latest
    finally:
        _latest.reset(token)


def note(what: str) -> None:
    """Remember what is waited for from now on, for the message of a step that comes to its deadline meanwhile."""
    latest = _latest.get(None)
    if latest is not None:
        latest[:] = [what]
