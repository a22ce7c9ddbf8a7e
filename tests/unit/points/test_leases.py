"""Leases: one holder at a time, and every step that begins outranks the ones before it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.errors import LeaseBusyError, LeaseLostError
from include.rules.points.leases import Lease, Purpose, Restored
from tests.unit.builders import NOW

TTL = timedelta(minutes=10)


def free() -> Lease:
    return Lease(tenant="acme", expires_at=NOW)


def held() -> Lease:
    return free().acquired("one", Purpose.BACKUP, now=NOW, ttl=TTL)


def test_a_free_lease_is_given_to_whoever_asks() -> None:
    assert held().owner == "one"
    assert held().is_live(NOW)


def test_a_live_lease_is_refused_and_the_holder_named() -> None:
    with pytest.raises(
        LeaseBusyError, match=r"Tenant acme is busy: a backup holds its lease until 09:10:00Z.*holder=one"
    ):
        held().acquired("two", Purpose.RESTORE, now=NOW + TTL - timedelta(seconds=1), ttl=TTL)


def test_an_expired_lease_may_be_taken_over() -> None:
    assert held().acquired("two", Purpose.RESTORE, now=NOW + TTL, ttl=TTL).owner == "two"


def test_the_owner_may_acquire_again_after_its_trigger_was_restarted() -> None:
    assert held().acquired("one", Purpose.BACKUP, now=NOW, ttl=TTL).token == held().token + 1


def test_each_step_gets_a_higher_token_than_all_before_it() -> None:
    lease = held()
    for expected in (2, 3, 4):
        lease = lease.continued("one", now=NOW, ttl=TTL)
        assert lease.token == expected
    assert lease.released("one", 4, now=NOW).acquired("two", Purpose.BACKUP, now=NOW, ttl=TTL).token == 5


def test_a_step_whose_token_was_outranked_may_not_act() -> None:
    with pytest.raises(LeaseLostError):
        held().continued("one", now=NOW, ttl=TTL).check("one", 1)


def test_a_step_of_a_run_that_does_not_hold_the_lease_may_not_begin() -> None:
    with pytest.raises(LeaseLostError, match="it is with nobody"):
        free().continued("one", now=NOW, ttl=TTL)
    with pytest.raises(LeaseLostError, match=r"it is with one \(backup\)"):
        held().continued("two", now=NOW, ttl=TTL)


def test_an_expired_lease_that_nobody_took_still_serves_its_owner() -> None:
    assert held().continued("one", now=NOW + 3 * TTL, ttl=TTL).is_live(NOW + 3 * TTL)


def test_renewing_and_releasing_need_the_latest_token() -> None:
    lease = held().continued("one", now=NOW, ttl=TTL)
    assert lease.renewed("one", 2, now=NOW + TTL / 2, ttl=TTL).is_live(NOW + TTL)
    with pytest.raises(LeaseLostError):
        lease.renewed("one", 1, now=NOW, ttl=TTL)
    with pytest.raises(LeaseLostError):
        lease.released("one", 1, now=NOW)


def test_a_released_lease_keeps_its_token() -> None:
    lease = held().released("one", 1, now=NOW)
    assert (lease.owner, lease.token) == (None, 1)
    assert not lease.is_live(NOW)


def restored(lease: Lease | None = None, at: timedelta = TTL) -> Lease:
    """The lease after a restore that has given it back."""
    taken = (lease or free()).acquired("restore", Purpose.RESTORE, now=NOW, ttl=TTL)
    return taken.continued("restore", now=NOW, ttl=TTL).released("restore", taken.token + 1, now=NOW + at)


def taken_after(lease: Lease, purpose: Purpose = Purpose.BACKUP, seen: timedelta = TTL) -> Lease:
    """The lease as whoever takes it writes it, which was written a minute before it was seen."""
    taken = lease.acquired("two", purpose, now=NOW + 2 * TTL, ttl=TTL)
    return taken.dated(lease, written_at=NOW + seen - timedelta(minutes=1), seen_at=NOW + seen)


@pytest.mark.parametrize("purpose", Purpose)
def test_whoever_takes_it_after_a_restore_writes_by_which_token_and_when_that_had_ended(purpose: Purpose) -> None:
    assert restored().restored is None
    taken = taken_after(restored(), purpose)
    assert taken.restored == Restored(2, NOW + TTL - timedelta(minutes=1))


def test_of_a_restore_that_has_never_given_it_back_the_end_is_when_it_was_taken_from_it() -> None:
    held_by_restore = free().acquired("restore", Purpose.RESTORE, now=NOW, ttl=TTL)
    assert taken_after(held_by_restore).restored == Restored(1, NOW + TTL)


def test_the_last_restore_is_remembered_for_ever_and_the_next_one_takes_its_place() -> None:
    lease = first = taken_after(restored())
    for _ in range(3):
        lease = lease.released("two", lease.token, now=NOW).acquired("two", Purpose.BACKUP, now=NOW, ttl=TTL)
        lease = lease.dated(free(), written_at=NOW + 9 * TTL, seen_at=NOW + 9 * TTL).continued("two", now=NOW, ttl=TTL)
        assert lease.restored == first.restored
    again = restored(lease.released("two", lease.token, now=NOW))
    assert again.restored == first.restored, "a restore makes its own safety point after the one before it"
    assert taken_after(again).restored_token == again.token


def test_that_a_restore_had_it_is_not_written_without_saying_until_when() -> None:
    taken = restored().acquired("two", Purpose.BACKUP, now=NOW, ttl=TTL)
    assert taken.is_undated
    assert not taken.dated(restored(), written_at=NOW, seen_at=NOW).is_undated
    assert not held().is_undated


@pytest.mark.parametrize(
    ("old", "is_restored"),
    [
        ({"owner": None, "purpose": "", "token": 7}, True),
        ({"owner": None, "purpose": "", "token": 7, "found_whole": True}, False),
        ({"owner": "one", "purpose": "restore", "token": 7}, True),
        ({"owner": "one", "purpose": "backup", "token": 7}, False),
        ({"owner": None, "purpose": "", "token": 0}, False),
    ],
)
def test_a_lease_that_an_earlier_version_has_left_counts_as_a_restores_where_nothing_speaks_against_it(
    old: dict[str, object], is_restored: bool
) -> None:
    lease = Lease.model_validate({"version": 1, "tenant": "acme", "expires_at": NOW.isoformat(), **old})
    assert (taken_after(lease).restored is not None) is is_restored
