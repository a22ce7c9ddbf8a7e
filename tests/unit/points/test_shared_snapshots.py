from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from include.rules.errors import RefusedError
from include.rules.points.claim_ids import claim_id, is_claim_id, next_claim_id
from include.rules.points.looks import TenantLook, VolumeLook, fingerprint_of
from include.rules.points.shared_snapshots import SILENCE, SharedSnapshot, ShareState, SnapshotUser, is_silent
from tests.unit.builders import tenant

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
WINDOW = timedelta(minutes=15)


def user(name: str = "acme", token: int = 3) -> SnapshotUser:
    return SnapshotUser(tenant=name, point=f"{name}-daily-20261126", token=token)


def claim(**changes: object) -> SharedSnapshot:
    first = SharedSnapshot(
        volume="vol-0aaaaaaaaaaaaaaa1",
        id=claim_id(NOW.date(), 1),
        nonce="n1",
        state=ShareState.CLAIMED,
        owner="lab/tenant_backup/r1",
        users=(user(),),
    )
    return first.model_copy(update=changes)


def started() -> SharedSnapshot:
    return claim().begun("snap-1", NOW, 8, claimed_at=NOW)


def test_a_day_counts_its_claims() -> None:
    assert [claim_id(NOW.date(), number) for number in (1, 12)] == ["20261126-0001", "20261126-0012"]


@pytest.mark.parametrize(
    "name", ["20261126-0001.json.bak", "20261126-0001-copy", "20261126-", "20261399-0001", "notes", "", "20261126-٣٣٣٣"]
)
def test_what_is_not_called_like_a_claim_is_none_and_counts_for_none(name: str) -> None:
    assert is_claim_id("20261126-0001")
    assert not is_claim_id(name)
    assert next_claim_id(NOW.date(), [name, "20261126-0003"]) == "20261126-0004"
    with pytest.raises(ValidationError, match="a claim is called by its UTC day and its number"):
        SharedSnapshot.model_validate({**claim().model_dump(mode="json"), "id": name})


def test_the_next_claim_comes_after_all_of_its_day() -> None:
    others = ["20261125-0031", "20261126-0009", "20261126-0010", ""]
    assert next_claim_id(NOW.date(), others) == "20261126-0011"
    assert next_claim_id(NOW.date(), others[:1]) == "20261126-0001"


@pytest.mark.parametrize(
    ("opened_at", "may_join"),
    [
        (NOW - timedelta(minutes=5), True),
        (NOW, True),
        (NOW + WINDOW, True),
        (NOW + WINDOW + timedelta(seconds=1), False),
    ],
)
def test_a_daily_point_joins_a_claim_that_is_at_most_its_window_older_and_of_its_day(
    opened_at: datetime, may_join: bool
) -> None:
    assert started().may_join(opened_at, WINDOW) is may_join


def test_whoever_waited_for_a_claim_past_midnight_joins_it_all_the_same() -> None:
    midnight = datetime(2026, 11, 27, tzinfo=UTC)
    shared = claim().begun("snap-1", midnight, 8, claimed_at=midnight)
    assert shared.may_join(midnight - timedelta(seconds=30), WINDOW)
    yesterday = claim().begun(
        "snap-1", midnight - timedelta(seconds=30), 8, claimed_at=midnight - timedelta(seconds=30)
    )
    assert not yesterday.may_join(midnight, WINDOW)


def test_a_claim_that_is_written_again_was_claimed_when_its_snapshot_was_first_asked_for() -> None:
    again = claim().kept_alive(NOW).kept_alive(NOW + WINDOW)
    assert again.claimed_at == NOW
    assert again.seen_anew({}, "n2").claimed_at is None, "what is asked for from now on is another snapshot"


def test_without_a_window_the_claim_has_to_be_later_than_the_point() -> None:
    assert started().may_join(NOW - timedelta(seconds=1), timedelta(0))
    assert not started().may_join(NOW, timedelta(0))


def test_a_claim_that_amazon_refuses_has_no_users_and_goes() -> None:
    given_up = claim().given_up()
    assert (given_up.state, given_up.users) == (ShareState.DELETING, ())
    with pytest.raises(RefusedError, match="is claimed no more"):
        started().given_up()


def test_nobody_joins_what_has_not_begun_is_sealed_or_being_deleted() -> None:
    assert not claim().may_join(NOW, WINDOW)
    for closed in (claim(), started().sealed("bad"), started().left("acme", user().point, 3)):
        assert not closed.may_join(NOW, WINDOW)
        with pytest.raises(RefusedError, match="so that nobody can join it"):
            closed.joined([user("globex")])


def test_a_user_that_joins_again_takes_its_new_token_and_keeps_its_lock() -> None:
    locked = started().locked("acme", user().point, NOW + WINDOW).sealed()
    (again,) = locked.joined([user(token=9)]).users
    assert (again.token, again.locked_until) == (9, NOW + WINDOW)


def test_a_user_that_is_named_twice_is_on_the_list_once() -> None:
    assert started().joined([user("globex", 4), user("globex", 4)]).users == (user(), user("globex", 4))


def test_only_whoever_is_not_older_than_its_entry_takes_a_point_off_the_list() -> None:
    shared = started().joined([user("globex", 7)])
    with pytest.raises(RefusedError, match="was joined again by recovery point globex-daily-20261126"):
        shared.left("globex", "globex-daily-20261126", 6)
    assert [one.tenant for one in shared.left("globex", "globex-daily-20261126", 7).users] == ["acme"]


def test_the_last_one_to_leave_ends_it() -> None:
    shared = started().joined([user("globex")])
    rest = shared.left("acme", user().point, 3)
    assert rest.state is ShareState.STARTED
    assert rest.left("globex", "globex-daily-20261126", 3).state is ShareState.DELETING


def test_the_longest_lock_of_its_users_is_that_of_the_snapshot() -> None:
    shared = started().joined([user("globex")])
    assert shared.locked_until is None
    longer = shared.locked("acme", user().point, NOW + WINDOW).locked("globex", "globex-daily-20261126", NOW)
    assert longer.locked_until == NOW + WINDOW
    with pytest.raises(RefusedError, match="is not used by recovery point other of tenant acme"):
        shared.locked("acme", "other", NOW)


def test_a_claim_changes_hands_until_amazon_has_answered() -> None:
    taken = claim().taken_over("lab/tenant_backup/r2", user("globex"), {}, "n2")
    assert (taken.owner, taken.users) == ("lab/tenant_backup/r2", (user("globex"),))
    assert (taken.tag, taken.tags) == ("20261126-0001.n2", ("20261126-0001.n2", "20261126-0001.n1"))
    with pytest.raises(RefusedError, match="is claimed no more"):
        started().taken_over("lab/tenant_backup/r2", user("globex"), {}, "n2")
    with pytest.raises(RefusedError, match="is claimed no more"):
        started().begun("snap-2", NOW, 8, claimed_at=NOW)


def test_a_claim_is_silent_once_nobody_has_written_it_for_long() -> None:
    assert not is_silent(claim(), NOW, NOW + SILENCE - timedelta(seconds=1))
    assert is_silent(claim(), NOW, NOW + SILENCE)
    assert not is_silent(started(), NOW, NOW + SILENCE)


def test_a_look_counts_for_the_host_entry_that_it_was_judged_for() -> None:
    web, look = tenant().web, VolumeLook(at=NOW)
    shared = claim(looks={fingerprint_of(web): TenantLook(tenant="acme", look=look)})
    assert shared.look_at("acme", "p", web) == look
    assert shared.look_at("acme", "p", web.model_copy(update={"path": "/srv/www/other"})) is None
    assert shared.look_at("globex", "p", web) is None
