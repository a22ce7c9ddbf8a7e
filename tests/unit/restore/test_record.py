"""The record of a restore: what is in doubt, when the site may go online, and what is said at the end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from include.rules.errors import RefusedError
from include.rules.restore.outcome import finished, left_unclosed
from include.rules.restore.owner import check_owner
from include.rules.restore.plan import RestorePlan
from include.rules.restore.preview import expected_duration, preview
from include.rules.restore.record import (
    CHECK,
    COPY_FILES,
    RESTORE_DATABASE,
    RestoreRecord,
    RestoreState,
    RestoreStep,
    Site,
)
from include.rules.restore.request import DatabaseSource, RestoreScope
from tests.unit.builders import NOW, surveyed, tenant, verified

POINT = verified()


def planned(**plan: Any) -> RestoreRecord:
    restore_plan = RestorePlan(
        source="acme",
        target=tenant(),
        **{
            "recovery_point": POINT.id,
            "what": RestoreScope.BOTH,
            "folder": "/srv/acme/site",
            "database": "shop_acme",
            "replaces_files": True,
            "replaces_database": True,
            **plan,
        },
    )
    return RestoreRecord(id="acme-restore-1", tenant="acme", plan=restore_plan, owner="me", planned_at=NOW)


def opened(**plan: Any) -> RestoreRecord:
    return planned(**plan).opened(owner="me", token=1, now=NOW).model_copy(update={"safety_point": "acme-safety-1"})


def done(record: RestoreRecord, *names: str, seconds: float = 1) -> RestoreRecord:
    for name in names:
        step = RestoreStep(name=name, message=f"did {name}", began_at=NOW, at=NOW + timedelta(seconds=seconds))
        record = record.with_step(step)
    return record


def test_what_a_step_has_begun_and_not_ended_is_in_doubt_whatever_other_steps_do() -> None:
    record = done(opened().beginning_on(COPY_FILES, "/srv/acme/site"), "attach_volumes", "remove_volumes")
    assert record.in_doubt == ("/srv/acme/site",)
    assert done(record, COPY_FILES).in_doubt == ()


def test_a_new_attempt_does_not_forget_what_the_last_one_had_begun() -> None:
    again = done(opened().beginning_on(COPY_FILES, "/srv/acme/site"), COPY_FILES).opened(owner="me", token=9, now=NOW)
    assert again.in_doubt == ("/srv/acme/site",)
    assert not again.may_go_online
    assert again.safety_point == "acme-safety-1"


def test_a_new_attempt_takes_a_new_safety_point_when_users_were_at_work_in_between() -> None:
    again = opened().opened(owner="me", token=9, now=NOW + timedelta(hours=1))
    assert again.safety_point is None
    assert again.safety_request == "acme|safety|2026-11-23T10:00:00+00:00"


@pytest.mark.parametrize(
    ("record", "may"),
    [
        (opened(), True),
        (opened().beginning_on(COPY_FILES, "x"), False),
        (done(opened().beginning_on(COPY_FILES, "x"), COPY_FILES), False),
        (done(opened().beginning_on(RESTORE_DATABASE, "x"), COPY_FILES, RESTORE_DATABASE), False),
        (done(opened().beginning_on(RESTORE_DATABASE, "x"), COPY_FILES, RESTORE_DATABASE, CHECK), True),
        (opened(replaces_files=False, replaces_database=False).beginning_on(COPY_FILES, "/srv/new"), True),
        (opened(replaces_files=False).beginning_on(COPY_FILES, "/srv/new"), True),
        (opened(replaces_files=False).beginning_on(RESTORE_DATABASE, "x"), False),
    ],
)
def test_a_site_goes_online_only_when_it_shows_one_consistent_state(record: RestoreRecord, may: bool) -> None:
    assert record.may_go_online is may


def test_a_restore_that_changed_nothing_says_that_all_is_as_it_was() -> None:
    ended = finished(opened().model_copy(update={"failure": "No volume."}), NOW)
    assert ended.state is RestoreState.FAILED
    assert ended.failure == "No volume. Tenant acme is as it was: nothing was overwritten."


def test_a_restore_that_broke_off_says_what_is_where_and_how_to_go_back() -> None:
    broken = opened().beginning_on(COPY_FILES, "/srv/acme/site").model_copy(update={"site": Site.OFFLINE})
    message = finished(broken, NOW, ["Volume vol-1 was left."]).failure or ""
    assert message.startswith(
        "The run was ended before it was done. /srv/acme/site may be partly old and partly restored."
    )
    assert "Volume vol-1 was left." in message
    assert "still OFFLINE" in message
    assert "safety point acme-safety-1: restore it to go back" in message


def test_a_step_done_again_stands_once_and_ends_an_earlier_failure() -> None:
    record = done(opened().with_failure("x", COPY_FILES), COPY_FILES, COPY_FILES)
    assert [step.name for step in record.steps] == [COPY_FILES]
    assert record.failure is None


def test_a_step_that_is_done_says_nothing_of_the_failure_of_another() -> None:
    record = done(opened().with_failure("no room", COPY_FILES), "remove_volumes")
    assert record.failure == "`copy_files` failed: no room"
    assert (finished(record, NOW).failure or "").startswith("`copy_files` failed: no room")


def test_a_database_that_no_safety_point_could_keep_is_not_promised_back() -> None:
    record = opened().beginning_on(RESTORE_DATABASE, "Database shop_acme")
    message = finished(record.model_copy(update={"why_unsavable": "it is RESTORING"}), NOW).failure or ""
    assert "The folder before this restore is in the safety point acme-safety-1" in message
    assert "The database as it was before could not be kept safe: it is RESTORING." in message
    assert "The state before" not in message


def test_no_safety_point_is_asked_for_when_nothing_is_overwritten() -> None:
    assert opened(replaces_files=False, replaces_database=False).safety_request == ""


def test_the_expected_duration_is_the_median_of_the_same_kind_of_restore() -> None:
    earlier = []
    for minutes in (1, 4, 30):
        record = finished(done(opened(), COPY_FILES, CHECK, seconds=minutes * 50), NOW + timedelta(minutes=minutes))
        earlier.append(record)
    other = finished(done(opened(what=RestoreScope.FILES), CHECK), NOW + timedelta(days=1))
    broken = finished(opened(), NOW + timedelta(days=2))
    message = expected_duration(planned().plan, [*earlier, other, broken])
    assert message.startswith("about 4 min (median of 3; the longest step is copy_files")
    assert "unknown" in expected_duration(planned().plan, [other, broken])


def test_the_preview_names_everything_that_is_overwritten_and_every_step() -> None:
    text = preview(planned(approvals=("the request asks for it",)).plan, POINT, surveyed(state="ONLINE"), [], NOW)
    for part in (
        "### Restore of acme-daily-20261123",
        "Folder /srv/acme/site on i-00000001 (not there now) is OVERWRITTEN",
        "Database shop_acme on sql_server_lab (ONLINE, 0 bytes) is OVERWRITTEN",
        "Take the site offline",
        "safety recovery point",
        "snap-0123456789abcdef0, 8 GiB",
        "RESTORE DATABASE shop_acme",
        "Bring the site online",
        "the request asks for it",
    ):
        assert part in text


def test_the_preview_of_a_restore_elsewhere_promises_that_nothing_is_overwritten() -> None:
    plan = planned(replaces_files=False, replaces_database=False, folder="/srv/new/site", database="copy").plan
    text = preview(plan, POINT, surveyed(), [], NOW)
    assert "OVERWRITTEN" not in text
    assert "offline" not in text
    assert text.count("nothing is overwritten") == 2


def test_the_preview_says_that_a_snapshot_is_only_crash_consistent_by_its_steps() -> None:
    text = preview(planned(database_from=DatabaseSource.SNAPSHOT).plan, POINT, surveyed(), [], NOW)
    assert "attach them beside those that stand, DBCC CHECKDB: nothing is overwritten before" in text


@pytest.mark.parametrize(
    ("plan", "half_restored_steps"),
    [
        ({}, set()),
        ({"replaces_database": False}, {RESTORE_DATABASE}),
        ({"replaces_files": False}, {COPY_FILES}),
        ({"paths": ("a.txt",)}, {COPY_FILES}),
    ],
)
def test_what_an_earlier_restore_has_left_half_restored_keeps_the_site_offline_until_all_of_it_is_back(
    plan: dict[str, Any], half_restored_steps: set[str]
) -> None:
    inherited = {COPY_FILES: "/srv/acme/site", RESTORE_DATABASE: "Database shop_acme"}
    record = planned(**plan).opened(owner="me", token=1, now=NOW, inherited=inherited)
    assert set(record.half_restored) == set(inherited)
    assert not record.may_go_online
    record = done(record, CHECK)
    assert set(record.half_restored) == half_restored_steps
    assert record.may_go_online is not bool(half_restored_steps)
    ended = finished(record, NOW)
    assert ended.state is RestoreState.DONE
    assert ("The site stays OFFLINE" in (ended.failure or "")) is bool(half_restored_steps)


def test_the_way_back_asks_for_the_half_that_was_overwritten() -> None:
    def form(**plan: Any) -> Any:
        return json.loads(opened(**plan).undo_form)

    assert form() == {"tenant": "acme", "recovery_point": "acme-safety-1", "confirm": "acme"}
    assert form(replaces_database=False)["what"] == "files"
    assert form(replaces_files=False)["what"] == "database"


def test_no_way_back_is_shown_to_a_database_that_could_not_be_kept_safe() -> None:
    unsavable = {"why_unsavable": "it is RESTORING"}
    assert json.loads(opened().model_copy(update=unsavable).undo_form)["what"] == "files"
    assert opened(replaces_files=False).model_copy(update=unsavable).undo_form == ""


def test_a_record_belongs_to_the_run_that_has_planned_it() -> None:
    check_owner(planned(), "me")
    with pytest.raises(RefusedError, match="belongs to another run, started in the same second"):
        check_owner(planned(), "somebody else")


def test_a_restore_that_cannot_be_closed_says_what_is_where() -> None:
    record = done(opened().beginning_on(COPY_FILES, "/srv/acme/site"), COPY_FILES)
    message = left_unclosed(record.model_copy(update={"volumes": {"web_snapshot": "vol-1"}, "site": Site.OFFLINE}))
    for part in ("had lost the tenant's lease", "vol-1", "the database is still the old one", "still OFFLINE"):
        assert part in message


def test_fields_whose_names_have_changed_are_stored_under_their_first_names() -> None:
    """A record that was written before is read, and one of today is read by whoever reads those."""
    record = planned(why_unsavable="it is RESTORING").model_copy(update={"why_unsavable": "its files lie elsewhere"})
    record = done(record, COPY_FILES)
    stored = record.model_dump(mode="json")
    assert (stored["plan"]["loses_database"], stored["lost_database"]) == ("it is RESTORING", "its files lie elsewhere")
    assert stored["steps"][0]["said"] == "did copy_files"
    assert not {"why_unsavable", "message"} & {*stored, *stored["plan"], *stored["steps"][0]}
    assert RestoreRecord.model_validate(stored) == record
