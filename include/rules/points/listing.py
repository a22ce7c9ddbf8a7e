"""The recovery points of a vault as a table that an operator reads in a task's log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from include.rules.points.levels import not_looked_at
from include.rules.points.manifest import Manifest
from include.rules.points.moments import later
from include.rules.points.parts import PartName, SnapshotPart

HEAD = ("recovery point", "moment (UTC)", "kind", "state", "level", "what is in it", "apart", "kept or going", "note")
NAMES = {PartName.WEB_SNAPSHOT: "web", PartName.DB_SNAPSHOT: "db", PartName.BAK: ".bak"}


def table(manifests: Iterable[Manifest]) -> str:
    """One line for each recovery point, newest first, in columns."""
    points = sorted(manifests, key=lambda m: (m.time or m.opened_at, m.id), reverse=True)
    rows = [HEAD, *(_row(manifest) for manifest in points)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _row(manifest: Manifest) -> tuple[str, ...]:
    return (
        manifest.id,
        f"{manifest.time or manifest.opened_at:%Y-%m-%d %H:%M:%S}",
        str(manifest.kind),
        str(manifest.state),
        str(manifest.verification.level) if manifest.verification else "-",
        ", ".join(_part(manifest, name) for name in manifest.parts.names) or "nothing",
        _apart(manifest.parts.seconds_apart),
        _fate(manifest),
        _note(manifest),
    )


def _part(manifest: Manifest, name: PartName) -> str:
    """The part, and what is to be known of it: other points may use the same snapshot."""
    part = manifest.parts.get(name)
    remarks = ["shared"] if isinstance(part, SnapshotPart) and part.claim else []
    remarks += ["not looked at"] if name in not_looked_at(manifest) else []
    return f"{NAMES[name]} ({', '.join(remarks)})" if remarks else NAMES[name]


def _apart(seconds: int | None) -> str:
    """How far apart its parts are in time."""
    if seconds is None:
        return "-"
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"


def _note(manifest: Manifest) -> str:
    """What a restore elsewhere takes besides the point, if anything; then why it failed, or what somebody noted."""
    encryption = manifest.database_settings.encryption if manifest.database_settings else None
    needs = f"needs {encryption.described}; " if encryption else ""
    return f"{needs}{' '.join((manifest.failure or manifest.note).split())[:80]}".removesuffix("; ")


def _fate(manifest: Manifest) -> str:
    """What the manifest itself says: a hold, a lock, the day of its deletion. What the policy keeps is in the log of
    `retention`, because it changes with the other points.
    """
    hold, locked, expiry = manifest.hold, manifest.locked_until, manifest.expiry
    notes = [f"locked until {locked:%Y-%m-%d}"] if locked else []
    if expiry and expiry.deletion_began_at:
        notes.append(f"deletion began {expiry.deletion_began_at:%Y-%m-%d}")
    elif expiry:
        deletion_from = later(expiry.marked_at, timedelta(hours=manifest.source.plan.retention.grace_hours))
        notes.append(f"goes {deletion_from:%Y-%m-%d %H:%MZ}")
    notes += [f"hold {' '.join(hold.description.split())[:80]}"] if hold else []
    return "; ".join(notes) or "-"
