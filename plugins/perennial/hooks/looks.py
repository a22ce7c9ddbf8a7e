"""How often to look at something that takes its time elsewhere: soon at first, then less and less often."""

from __future__ import annotations

from collections.abc import Iterator


def looks(longest: float) -> Iterator[float]:
    """Seconds to wait before each next look: an eighth of `longest` first, then twice as long each time up to it."""
    pause = longest / 8
    while True:
        yield pause
        pause = min(longest, 2 * pause)
