"""Leases: one holder at a time, and every step that begins outranks the ones before it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.errors import LeaseBusyError, LeaseLostError
from include.rules.points.leases import Lease, Purpose
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
