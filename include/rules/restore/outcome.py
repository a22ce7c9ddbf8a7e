"""How a restore ended, in words: what is done, what may be half restored, and what leads back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from include.rules.points.failures import INTERRUPTED
from include.rules.restore.record import CHECK, COPY_FILES, RESTORE_DATABASE, RestoreRecord, RestoreState, Site

LEASE_LOST = "The run had lost the tenant's lease, and somebody else has held it since."


def finished(record: RestoreRecord, now: datetime, clean_up_problems: Sequence[str] = ()) -> RestoreRecord:
    """Close the record: done when the check has passed, else failed with everything an operator has to know.

    Args:
        clean_up_problems: Sentences about what could not be cleaned up.
    """
    if record.has_done(CHECK):
        stays = f"The site stays OFFLINE: {_earlier_left(record)}" if record.half_restored else ""
        state, failure = RestoreState.DONE, " ".join(part for part in (*clean_up_problems, stays) if part) or None
        return record.model_copy(update={"state": state, "closed_at": now, "failure": failure})
    parts = [record.failure or INTERRUPTED, *_doubts(record), *clean_up_problems, _what_is_where(record)]
    return record.model_copy(
        update={
            "state": RestoreState.FAILED,
            "closed_at": now,
            "failure": " ".join(part for part in parts if part),
        }
    )


def left_unclosed(record: RestoreRecord) -> str:
    """What an operator has to know of a restore that cannot be closed, because somebody else holds the lease."""
    volumes = ", ".join(record.volumes.values())
    parts = [
        record.failure or LEASE_LOST,
        *_doubts(record),
        f"Volumes that may still be attached, and cost money: {volumes}." if volumes else "",
        _what_is_where(record),
    ]
    return " ".join(part for part in parts if part)


def _doubts(record: RestoreRecord) -> list[str]:
    return [f"{what} may be partly old and partly restored." for what in record.in_doubt]


def _earlier_left(record: RestoreRecord) -> str:
    halves = " and ".join(record.half_restored.values())
    return f"an earlier restore of tenant {record.tenant} has left {halves} half restored. Restore that too."


def _what_is_where(record: RestoreRecord) -> str:
    sentences = []
    both = record.plan.replaces_files and record.plan.replaces_database
    if both and record.has_done(COPY_FILES) and RESTORE_DATABASE not in record.begun:
        sentences.append("The files are restored; the database is still the old one.")
    if record.inherited and not record.has_changed_the_site:
        sentences.append(f"Before it, {_earlier_left(record)}")
    if record.plan.overwrites and not record.has_changed_the_site:
        sentences.append(f"Tenant {record.tenant} is as it was: nothing was overwritten.")
    if record.site is Site.OFFLINE:
        sentences.append(f"The site of tenant {record.tenant} is still OFFLINE (app_offline.htm in its folder).")
    if record.has_changed_the_site and record.why_unsavable:
        sentences.append(f"The database as it was before could not be kept safe: {record.why_unsavable}.")
    if record.has_changed_the_site and record.undo_form:
        state = "The folder" if record.why_unsavable else "The state"
        sentences.append(
            f"{state} before this restore is in the safety point {record.safety_point}: restore it to go back, with "
            f"`airflow dags trigger restore --conf '{record.undo_form}'`."
        )
    return " ".join(sentences)
