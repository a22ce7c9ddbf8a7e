"""How old an answer may be that several steps of a triggerer share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Freshness:
    """From when on an answer counts, as times of the running loop.

    Attributes:
        since: When it must have been asked for, or later.
        silent_since: From when on one that has said nothing need not be asked again.
    """

    since: float
    silent_since: float

    @classmethod
    def within(cls, seconds: float, *, silence: bool = False) -> Self:
        """What was answered in the last seconds counts, and with `silence` that somebody has said nothing, too."""
        now = asyncio.get_running_loop().time()
        return cls(now - seconds, now - seconds if silence else now)
