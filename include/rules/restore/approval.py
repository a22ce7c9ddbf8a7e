"""Whether a restore's plan is the one that was approved, and in what it differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from include.rules.errors import RefusedError
from include.rules.points.approvals import seal_of, why_not_approved
from include.rules.points.manifest import Manifest
from include.rules.restore.plan import RestorePlan
from include.rules.restore.record import RestoreRecord

MOST_KEPT = 5
"""Plans before the present one that a record remembers, to say in what they differ."""


IRRELEVANT: Final[Any] = {"target": {"plan"}}
"""What of a plan is no deed: what the tenant bought."""

WORDS: Final = {
    "source": "tenant whose point it is",
    "recovery_point": "recovery point",
    "target id": "tenant whose place it goes to",
    "what": "what comes back",
    "database_from": "database from",
    "paths": "only these paths",
    "replaces_files": "overwrites the tenant's files",
    "replaces_database": "overwrites the tenant's database",
    "why_unsavable": "why no safety point can hold the database",
    "approvals": "has to be approved because",
    "parts": "parts of the recovery point",
}
"""What messages call the fields that do not speak for themselves."""


def fingerprint(plan: RestorePlan) -> str:
    """A hash, in hexadecimal, of everything that the plan does.

    Not of what the tenant bought, nor of what stands at its default: a field that a later version adds changes nothing.
    """
    deeds = plan.model_dump(mode="json", exclude_defaults=True, exclude=IRRELEVANT)
    return hashlib.sha256(json.dumps(deeds, sort_keys=True).encode()).hexdigest()


def replanned(record: RestoreRecord, before: RestoreRecord) -> RestoreRecord:
    """A record that takes the place of an earlier one of the same run, and remembers what that was about to do."""
    plans = {**before.earlier_plans, seal_of(fingerprint(before.plan)): before.plan}
    return record.model_copy(update={"earlier_plans": dict(list(plans.items())[-MOST_KEPT:])})


def check_approved(record: RestoreRecord, approved: str) -> None:
    """Refuse a plan that is not the one that somebody has approved, or that somebody would have to approve.

    Args:
        approved: The seal of the question that was answered; NOBODY where the approval was skipped.

    Raises:
        RefusedError: which says what has changed.
    """
    shown = record.earlier_plans.get(approved)
    changes = differences(shown, record.plan) if shown else ()
    why_not = why_not_approved(approved, fingerprint(record.plan), asks=bool(record.plan.approvals), changes=changes)
    if why_not:
        raise RefusedError(
            f"The plan of restore {record.id} of tenant {record.tenant} {why_not}.",
            why="The preview was made anew, and Airflow has not asked again; nothing was restored.",
            todo="Start a new restore, and look at its preview.",
            approved=approved or "nothing",
            plan=seal_of(fingerprint(record.plan)),
        )


def check_same_parts(plan: RestorePlan, manifest: Manifest) -> None:
    """Refuse a recovery point that was made anew since the plan was: its id is the same, and what it holds is not.

    Raises:
        RefusedError: which says so.
    """
    now_there = manifest.parts.identities
    if plan.parts and plan.parts != now_there:
        raise RefusedError(
            f"Recovery point {manifest.id} of tenant {manifest.tenant} was made anew since this restore was planned.",
            why=f"Planned was {', '.join(plan.parts)}; it holds {', '.join(now_there)} now. Nothing was restored.",
            todo="Start a new restore, and look at its preview.",
        )


def differences(old: RestorePlan, new: RestorePlan) -> list[str]:
    """In what two plans differ, in words: `folder: /srv/a, now /srv/b`."""
    (before, after) = (
        dict(_flat(plan.model_dump(mode="json", by_alias=False, exclude=IRRELEVANT))) for plan in (old, new)
    )
    return [
        f"{WORDS.get(name, name)}: {_said(before.get(name))}, now {_said(after.get(name))}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", inner


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return "nothing" if value in (None, "") else str(value)
