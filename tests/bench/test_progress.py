"""A fleet's runs end, or are given up with a reason."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.progress import STALLED_SECONDS, FleetError, Progress, told


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_all_runs_have_to_end_and_none_may_go_on(clock: Clock) -> None:
    progress = Progress(3, 600, clock)
    assert not progress.is_done(Counter())
    assert not progress.is_done(Counter(success=2))
    assert not progress.is_done(Counter(success=2, failed=1, queued=1))
    assert progress.is_done(Counter(success=2, failed=1))
    assert progress.is_done(Counter(success=4))  # one came twice: what there is to say about it is said later


def test_runs_that_take_too_long_are_given_up(clock: Clock) -> None:
    progress = Progress(3, 200, clock)
    clock.now = 199
    assert not progress.is_done(Counter(running=3))
    clock.now = 200
    with pytest.raises(FleetError, match=r"After 200 s not all of 3 tenants are backed up: 1 running, 2 success\."):
        progress.is_done(Counter(success=2, running=1))


def test_runs_that_come_no_further_are_given_up_early(clock: Clock) -> None:
    progress = Progress(3, 6000, clock)
    assert not progress.is_done(Counter(success=1))
    clock.now = 1000
    assert not progress.is_done(Counter(success=2))
    clock.now = 1000 + STALLED_SECONDS
    with pytest.raises(FleetError, match=r"After 300 s nothing has changed, and not all of 3 .*: 2 success\."):
        progress.is_done(Counter(success=2))


def test_states_are_told_in_words() -> None:
    assert told(Counter(running=64, queued=12)) == "12 queued, 64 running"
    assert told(Counter()) == "no run yet"
