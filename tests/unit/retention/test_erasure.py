"""Where the bytes of a tenant that has left still are, and how long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.retention.erasure import HeldSnapshot, bytes_left_note, volumes_unknown_note
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.plan import Action, Verdict
from include.rules.retention.reasons import FOR_EVER, Reason
from include.rules.retention.timeline import TimelinePoint
from tests.unit.retention.timelines import DAY, NOW, POLICY, offboarding

GONE_ON = date(2026, 6, 28)
RECORD = offboarding("2026-06-30").model_copy(update={"data_removed_on": GONE_ON})
WEB, DATABASE = "vol-0123456789abcdef0", "vol-0123456789abcdef1"


def held(*points: str, volume: str = WEB) -> HeldSnapshot:
    """A snapshot that these points of globex use."""
    return HeldSnapshot(volume, NOW - 5 * DAY, tuple(("globex", point) for point in points))


def verdict(action: Action, *reasons: Reason) -> Verdict:
    point = TimelinePoint("globex-daily-20260601", "globex", Kind.DAILY, State.VERIFIED, NOW, NOW)
    return Verdict(point, action, reasons)


VERDICTS = {
    "ever": verdict(Action.KEEP, Reason("yearly 2026", FOR_EVER), Reason("daily", date(2026, 7, 5))),
    "soon": verdict(Action.KEEP, Reason("daily 2026-06-28", date(2026, 7, 5))),
    "later": verdict(Action.TAKE_BACK, Reason("monthly 2026-06", date(2027, 6, 30)), Reason("last", firm=False)),
    "for-now": verdict(Action.KEEP, Reason("manual 1 of 10", firm=False)),
    "goes": verdict(Action.EXPIRE),
    "waits": verdict(Action.WAIT),
    "spared": verdict(Action.WAIT, Reason("on hold", date(2026, 12, 31))),
}


def ends_of(*points: str) -> str:
    """What the note says of how long these points are kept."""
    note = bytes_left_note(RECORD, [held(*points)], lambda _, point: VERDICTS.get(point))
    return note.partition("; ")[2].partition(". Its data")[0]


def test_the_note_names_volumes_users_and_the_day_on_which_the_data_was_removed() -> None:
    snapshots = [held("soon", "later"), held("later", volume=DATABASE)]
    assert bytes_left_note(RECORD, snapshots, lambda _, point: VERDICTS.get(point)) == (
        f"Tenant acme has left on 2026-06-29: its bytes are still in 2 snapshots of {WEB}, {DATABASE}, which 2 "
        "recovery points use; the last is kept until 2027-06-30. Its data was removed from the servers on 2026-06-28."
    )


@pytest.mark.parametrize(
    ("points", "ends"),
    [
        (["ever"], "1 is kept for ever"),
        (["soon", "for-now"], "1 has no known end, the last of the others is kept until 2026-07-05"),
        (
            ["ever", "for-now", "unknown", "soon", "spared"],
            "1 is kept for ever, 2 have no known end, the last of the others is kept until 2026-12-31",
        ),
        (["goes", "waits"], "they are about to go"),
        (["goes", "soon"], "the last is kept until 2026-07-05"),
        (["unknown"], "1 has no known end"),
    ],
)
def test_what_is_kept_for_ever_or_has_no_known_end_is_said_and_no_day_stands_for_it(
    points: list[str], ends: str
) -> None:
    assert ends_of(*points) == ends


def test_a_snapshot_that_nobody_is_known_to_use_is_counted_all_the_same() -> None:
    assert "1 snapshot of vol-0123456789abcdef0, which no recovery point uses. " in bytes_left_note(
        RECORD, [held()], lambda *_: None
    )
    assert ends_of("soon") + "; of 1 of them no user is known" in bytes_left_note(
        RECORD, [held("soon"), held()], lambda _, point: VERDICTS.get(point)
    )


def test_data_that_nobody_has_recorded_as_removed_counts_as_being_there() -> None:
    record = offboarding("2026-06-30")
    assert record.has_bytes_in(NOW + 999 * DAY)
    assert "Its data counts as still being on the servers" in bytes_left_note(record, [held()], lambda *_: None)


def test_a_snapshot_holds_the_bytes_until_the_day_on_which_they_were_removed_is_over() -> None:
    last = datetime(2026, 6, 28, 23, 59, 59, tzinfo=UTC)
    assert RECORD.has_bytes_in(last)
    assert not RECORD.has_bytes_in(last + timedelta(seconds=1))


def test_a_tenant_of_which_no_volume_is_known_is_named_with_what_to_do() -> None:
    assert "Write its volumes into offboarded/acme.json" in volumes_unknown_note(RECORD)


def test_a_record_of_an_earlier_version_is_read() -> None:
    old = {
        "tenant": "acme",
        "left_at": "2026-06-29T06:00:00Z",
        "final_until": "2026-06-30",
        "author": "ada",
        "retention": POLICY.model_dump(),
    }
    record = Offboarding.model_validate(old)
    assert (record.data_removed_on, record.volumes) == (None, ())


def test_a_record_that_is_written_anew_keeps_what_an_earlier_one_knows() -> None:
    before = RECORD.on_volumes([WEB])
    anew = offboarding("2026-07-30").model_copy(update={"left_at": NOW}).on_volumes([DATABASE])
    record = anew.going_on_from(before, before.left_at - DAY)
    assert record.volumes == (WEB, DATABASE)
    assert (record.left_at, record.data_removed_on) == (before.left_at, GONE_ON)
    assert record.final_until == anew.final_until
    assert anew.going_on_from(before, None) == record


def test_the_data_of_a_tenant_that_has_come_back_since_counts_as_being_there_again() -> None:
    before = RECORD.on_volumes([WEB])
    anew = offboarding("2026-07-30").model_copy(update={"left_at": NOW})
    record = anew.going_on_from(before, before.left_at + timedelta(hours=1))
    assert (record.left_at, record.data_removed_on, record.volumes) == (NOW, None, (WEB,))
