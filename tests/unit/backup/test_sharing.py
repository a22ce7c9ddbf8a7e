from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.rules.backup.sharing import (
    Candidate,
    Choice,
    SeenClaim,
    days_of_use,
    decide,
    is_over,
    left_behind,
)
from include.rules.points.claim_ids import claim_id
from include.rules.points.leases import Restored
from include.rules.points.looks import TenantLook, VolumeLook, fingerprint_of
from include.rules.points.requests import Kind
from include.rules.points.shared_snapshots import SILENCE, SharedSnapshot, ShareState, SnapshotUser
from tests.unit.builders import tenant

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
ACME = tenant()
SECOND = timedelta(seconds=1)


def candidate(**changes: object) -> Candidate:
    acme = Candidate(
        tenant="acme",
        point="acme-daily-20261126",
        kind=Kind.DAILY,
        token=5,
        host=ACME.web,
        opened_at=NOW,
        window=timedelta(minutes=15),
    )
    return replace(acme, **changes)  # type: ignore[arg-type]


def claim(
    number: int = 1, *, unseen: str = "", users: tuple[SnapshotUser, ...] = (), **changes: object
) -> SharedSnapshot:
    document = SharedSnapshot(
        volume=ACME.web.volume,
        id=claim_id(NOW.date(), number),
        nonce="n1",
        state=ShareState.CLAIMED,
        owner="lab/tenant_backup/r1",
        looks={fingerprint_of(ACME.web): TenantLook(tenant="acme", look=VolumeLook(at=NOW, not_looked_at=unseen))},
        users=users or (SnapshotUser(tenant="globex", point="globex-daily-20261126", token=2),),
    )
    return document.model_copy(update=changes)


def started(number: int = 1, age: timedelta = 5 * SECOND, **changes: object) -> SharedSnapshot:
    return claim(number, **changes).begun("snap-1", NOW, 8, claimed_at=NOW - age)  # type: ignore[arg-type]


def seen(document: SharedSnapshot, written: timedelta = timedelta(0)) -> SeenClaim:
    return SeenClaim(document, NOW - written, NOW)


def own(token: int = 4) -> tuple[SnapshotUser, ...]:
    return (SnapshotUser(tenant="acme", point="acme-daily-20261126", token=token),)


@pytest.mark.parametrize(
    ("document", "choice"),
    [
        (started(), Choice.JOIN),
        (started(age=timedelta(minutes=16)), Choice.CLAIM),
        (started().sealed("it is error"), Choice.CLAIM),
        (claim(), Choice.WAIT),
        (claim(users=own()), Choice.RESUME),
        (started(users=own()).sealed(), Choice.ADOPT),
        (started(users=own()).sealed("it is error"), Choice.CLAIM),
        (started(age=timedelta(minutes=59), users=own()), Choice.ADOPT),
        (started(age=timedelta(minutes=61), users=own()), Choice.CLAIM),
        (started(users=own(token=6)), Choice.JOIN),
        (started(unseen="host is silent"), Choice.LOOK),
        (started(unseen="host is silent", age=-5 * SECOND), Choice.JOIN),
        (started(unseen="host is silent", users=own()), Choice.LOOK),
        (started(looks={}), Choice.CLAIM),
        (claim(looks={}), Choice.CLAIM),
        (claim().given_up(), Choice.CLAIM),
    ],
)
def test_what_a_daily_point_makes_of_a_claim(document: SharedSnapshot, choice: Choice) -> None:
    assert decide(candidate(), [seen(document)])[0] is choice


def after_restore(ended: timedelta, **changes: object) -> Candidate:
    """acme's point after a restore whose last token was 3, and which has ended so long before its opening."""
    return candidate(restored=Restored(token=3, until=NOW - ended), **changes)


@pytest.mark.parametrize(
    ("ago", "document", "choice"),
    [
        (0, started(), Choice.CLAIM),
        (10, started(), Choice.JOIN),
        (10, started(age=timedelta(minutes=5)), Choice.CLAIM),  # its look may be five minutes older
        (10, started(age=timedelta(minutes=5) - SECOND), Choice.JOIN),
        (0, started(unseen="host is silent"), Choice.CLAIM),
        (10, started(unseen="host is silent"), Choice.LOOK),
        (0, claim(), Choice.CLAIM),
        (10, claim(), Choice.WAIT),
        (10, claim().kept_alive(NOW - timedelta(minutes=5)), Choice.CLAIM),
        (0, claim(users=own(3)), Choice.CLAIM),
        (0, claim(users=own(4)), Choice.RESUME),
        (0, started(users=own(3)), Choice.CLAIM),
        (0, started(users=own(4)), Choice.ADOPT),
    ],
)
def test_after_a_restore_own_claims_are_told_by_token_and_those_of_others_by_time(
    ago: int, document: SharedSnapshot, choice: Choice
) -> None:
    assert decide(after_restore(timedelta(minutes=ago)), [seen(document)])[0] is choice


def test_a_silent_claim_from_before_a_restore_is_not_taken_over() -> None:
    written = SILENCE + timedelta(minutes=1)
    assert decide(after_restore(2 * written), [seen(claim(), written)])[0] is Choice.TAKE_OVER
    assert decide(after_restore(written), [seen(claim(), written)])[0] is Choice.CLAIM


def test_a_look_that_is_a_safety_points_alone_serves_that_point() -> None:
    look = TenantLook(tenant="acme", look=VolumeLook(at=NOW), only_for="acme-safety-1")
    shared = started(looks={fingerprint_of(ACME.web): look}, users=own(5))
    assert decide(candidate(), [seen(shared)])[0] is Choice.CLAIM
    assert not candidate().may_join(shared)
    assert candidate(point="acme-safety-1").look_in(shared) == look.look


def test_a_silent_claim_is_taken_over_by_whoever_it_would_serve() -> None:
    assert decide(candidate(), [seen(claim(), SILENCE)])[0] is Choice.TAKE_OVER
    assert decide(candidate(), [seen(claim(), SILENCE - SECOND)])[0] is Choice.WAIT
    assert decide(candidate(), [seen(claim())], gone={claim().tag})[0] is Choice.TAKE_OVER


@pytest.mark.parametrize("kind", [Kind.MANUAL, Kind.SAFETY])
def test_a_point_of_this_very_moment_joins_nobody_but_itself(kind: Kind) -> None:
    asker = candidate(kind=kind)
    assert decide(asker, [seen(started()), seen(claim(2)), seen(claim(3), SILENCE)])[0] is Choice.CLAIM
    assert decide(asker, [seen(started(users=own()))])[0] is Choice.ADOPT
    assert decide(asker, [seen(claim(users=own()))])[0] is Choice.RESUME


def test_what_an_earlier_attempt_has_begun_comes_before_what_others_have() -> None:
    theirs, ours = seen(started(2)), seen(started(1, users=own()))
    assert decide(candidate(), [theirs, ours]) == (Choice.ADOPT, ours)
    assert left_behind(candidate(), [theirs, ours], kept={theirs.document.name}) == [ours.document]
    assert left_behind(candidate(), [theirs, ours], kept={ours.document.name}) == []


def test_a_place_is_that_of_the_step_right_after_the_one_that_announced_it() -> None:
    announced = candidate(token=3)
    assert candidate(token=4).after(announced).since == 3
    assert candidate(token=5).after(candidate(token=4).after(announced)).since == 3
    assert candidate(token=5).after(announced).since is None
    assert candidate(token=3).after(announced).since is None


@pytest.mark.parametrize(("token", "is_on"), [(2, False), (3, True), (4, True), (5, False)])
def test_a_point_is_on_the_list_that_it_was_put_on_since_it_was_announced(token: int, is_on: bool) -> None:
    asker = candidate(token=4)
    assert asker.after(candidate(token=3)).is_on(started(users=own(token))) is is_on
    assert asker.is_on(started(users=own(token))) is (token == 4)
    assert not asker.is_on(started(users=own(4), looks={}))
    assert not asker.is_on(started())


def test_of_several_the_newest_is_joined() -> None:
    assert decide(candidate(), [seen(started(1)), seen(started(2)), seen(claim(3))])[1] == seen(started(2))


def test_a_tenant_that_could_not_be_seen_again_takes_what_there_is() -> None:
    shared = seen(started(unseen="host is silent"))
    assert decide(candidate(has_seen_nothing=True), [shared])[0] is Choice.JOIN


def test_without_a_window_only_what_was_claimed_after_the_point_is_joined() -> None:
    asker = candidate(window=timedelta(0))
    assert decide(asker, [seen(started(age=timedelta(0)))])[0] is Choice.CLAIM
    assert decide(asker, [seen(started(age=-SECOND))])[0] is Choice.JOIN


def test_what_is_over_is_sealed_by_those_who_join_others() -> None:
    old = seen(started(age=timedelta(minutes=16)))
    assert is_over(candidate(), old)
    assert not is_over(candidate(kind=Kind.MANUAL), old)
    assert not is_over(candidate(), seen(started()))


def test_shortly_after_midnight_the_day_before_is_looked_at_too() -> None:
    midnight = datetime(2026, 11, 27, 0, 5, tzinfo=UTC)
    days = days_of_use(candidate(opened_at=midnight), midnight)
    assert [day.day for day in days] == [27, 26]
