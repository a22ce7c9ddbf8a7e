"""Where the bytes of a tenant that has left still are: judged by volume and time.

A snapshot shows all of its volume, whoever had it made and whoever was looked at before: the documents of shared
snapshots name those who may join, not everybody whose bytes are in them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from include.rules.retention.offboarding import Offboarding
from include.rules.retention.plan import Action, Verdict
from include.rules.retention.reasons import FOR_EVER

GOING = (Action.EXPIRE, Action.WAIT, Action.DELETE)


@dataclass(frozen=True)
class HeldSnapshot:
    """A snapshot of a volume on which the tenant was.

    Attributes:
        users: Tenant and recovery point of each that uses it, as far as is known.
    """

    volume: str
    started_at: datetime
    users: tuple[tuple[str, str], ...]


def bytes_left_note(
    record: Offboarding, held: Collection[HeldSnapshot], verdict_of: Callable[[str, str], Verdict | None]
) -> str:
    """Where the bytes of a tenant that has left still are, and how long as things stand.

    Args:
        held: The snapshots that hold bytes of the tenant.
        verdict_of: What the plans say of a recovery point of a tenant; None where they do not know it.
    """
    users = sorted({user for snapshot in held for user in snapshot.users})
    volumes = ", ".join(sorted({snapshot.volume for snapshot in held}))
    of_nobody = sum(not snapshot.users for snapshot in held)
    points = _count(len(users), "recovery point")
    use = f"which {points} {'uses' if len(users) == 1 else 'use'}" if users else "which no recovery point uses"
    ends = [_ends([verdict_of(*user) for user in users])] if users else []
    strays = [f"of {of_nobody} of them no user is known"] if users and of_nobody else []
    return (
        f"Tenant {record.tenant} has left on {record.left_at:%Y-%m-%d}: its bytes are still in "
        f"{_count(len(held), 'snapshot')} of {volumes}, {'; '.join([use, *ends, *strays])}. {_removed(record)}"
    )


def volumes_unknown_note(record: Offboarding) -> str:
    """A tenant that has left, and of which nothing tells on which volumes it was."""
    return (
        f"Tenant {record.tenant} has left on {record.left_at:%Y-%m-%d}, and nothing in the vault tells on which "
        "volumes it was: whether snapshots hold its bytes is not known. Write its volumes into "
        f"offboarded/{record.tenant}.json (docs/vault.md, Data protection)."
    )


def _removed(record: Offboarding) -> str:
    if record.data_removed_on:
        return f"Its data was removed from the servers on {record.data_removed_on}."
    return (
        "Its data counts as still being on the servers, and every new snapshot of these volumes as holding it: record "
        "the day on which it was removed (`offboard_tenant`)."
    )


def _ends(verdicts: Iterable[Verdict | None]) -> str:
    """How long these recovery points are kept, in words."""
    for_ever = unknown = 0
    days = list[date]()
    for verdict in verdicts:
        until = verdict.until if verdict else None
        if until == FOR_EVER:
            for_ever += 1
        elif until:
            days.append(until)
        elif verdict is None or verdict.action not in GOING:
            unknown += 1
    texts = [f"{for_ever} {'is' if for_ever == 1 else 'are'} kept for ever"] if for_ever else []
    if unknown:
        texts.append(f"{unknown} {'has' if unknown == 1 else 'have'} no known end")
    if days:
        texts.append(f"the last {'of the others ' if texts else ''}is kept until {max(days)}")
    return ", ".join(texts) or "they are about to go"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
