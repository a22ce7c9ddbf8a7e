"""What an operator is shown before a restore touches anything, and how long it took before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from statistics import median

from include.rules.points.levels import not_looked_at
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole, host_of
from include.rules.restore.database_obstacles import describe_unknowns
from include.rules.restore.host_survey import FolderFacts
from include.rules.restore.plan import RestorePlan
from include.rules.restore.record import RestoreRecord, RestoreState
from include.rules.restore.request import DatabaseSource
from include.rules.restore.source_folder import seen_folder
from include.rules.restore.survey import Survey


def preview(
    plan: RestorePlan, manifest: Manifest, survey: Survey, earlier: Iterable[RestoreRecord], now: datetime
) -> str:
    """The plan in words (Markdown): what comes back, what is overwritten, every step, sizes, the expected duration."""
    moment = manifest.time or manifest.opened_at
    proof = f"level {manifest.verification.level}" if manifest.verification else "no level"
    lines = [
        f"### Restore of {plan.recovery_point}",
        f"Tenant {plan.source} as of {moment:%Y-%m-%d %H:%M:%S} UTC ({_age(now, moment)} ago), verified to {proof}.",
        *(
            f"The volume of its {name} was NOT LOOKED AT before: it may hold something else ({reason})."
            for name, reason in not_looked_at(manifest).items()
        ),
        "",
        "**What happens to what is there now**",
        *_bullets(_overwritten(plan, survey)),
        *_bullets(_of_the_database(plan, manifest, survey)),
        "",
        "**Steps**",
        *(f"{number}. {step}" for number, step in enumerate(_steps(plan, manifest), start=1)),
        "",
        f"**Expected duration**: {expected_duration(plan, earlier)}",
    ]
    if plan.approvals:
        lines += ["", "**Has to be approved because**", *_bullets(plan.approvals)]
    return "\n".join(lines)


def expected_duration(plan: RestorePlan, earlier: Iterable[RestoreRecord]) -> str:
    """How long restores of the same halves took before: the median of all that were done, of any of the tenant's."""
    same = [
        record
        for record in earlier
        if record.state is RestoreState.DONE
        and record.plan.what is plan.what
        and record.plan.database_from is plan.database_from
        and bool(record.plan.paths) is bool(plan.paths)
    ]
    durations = [(r.closed_at - r.opened_at).total_seconds() for r in same if r.closed_at and r.opened_at]
    if not durations:
        return f"unknown: no restore of {plan.what} of tenant {plan.target.id} has been done yet."
    slowest = {
        name: median(s.seconds for r in same for s in r.steps if s.name == name)
        for name in dict.fromkeys(s.name for r in same for s in r.steps)
    }
    longest = max(slowest, key=lambda name: slowest[name], default="")
    return (
        f"about {_duration(median(durations))} (median of {len(durations)}; the longest step is {longest}, "
        f"{_duration(slowest.get(longest, 0))})."
    )


def _overwritten(plan: RestorePlan, survey: Survey) -> list[str]:
    lines = []
    if plan.folder:
        where = f"{plan.folder} on {plan.target.web.instance}"
        current = _folder(survey.host.folder)
        if not plan.replaces_files:
            room = f" ({_room(survey.host.folder)})" if survey.host.folder else ""
            lines.append(f"Folder {where} is made{room}; nothing is overwritten.")
        elif plan.paths:
            lines.append(f"Only these of {where} ({current}) are OVERWRITTEN: {', '.join(plan.paths)}.")
        else:
            lines.append(f"Folder {where} ({current}) is OVERWRITTEN; what the snapshot does not have is deleted.")
        if survey.host.folder and survey.host.folder.leads_elsewhere(plan.folder):
            lines.append(
                f"A symbolic link leads from {plan.folder} to {survey.host.folder.real}: that is where files change."
            )
    if plan.database:
        where = f"{plan.database} on {plan.target.database.connection}"
        current = "not there now"
        if survey.database.state:
            current = f"{survey.database.state}, {_size(survey.database.bytes)}"
        lines.append(
            f"Database {where} ({current}) is OVERWRITTEN."
            if plan.replaces_database
            else f"Database {where} is made; nothing is overwritten."
        )
    if plan.why_unsavable:
        lines.append(f"The database as it is now is LOST, no safety point can hold it: {plan.why_unsavable}.")
    if plan.replaces_database:
        lines.append(
            "Stop jobs and workers that write to the database past the site: what they write after the safety point is "
            "LOST."
        )
    return lines


def _of_the_database(plan: RestorePlan, manifest: Manifest, survey: Survey) -> list[str]:
    if plan.database is None:
        return []
    return describe_unknowns(
        survey.database, manifest, plan.database, plan.database_from, replaces=plan.replaces_database
    )


def _steps(plan: RestorePlan, manifest: Manifest) -> list[str]:
    steps = []
    if plan.approvals:
        steps.append("Wait for the approval; nothing is held or locked meanwhile.")
    steps.append(f"Take the lease of tenant {plan.target.id}: no backup and no retention until this restore is over.")
    steps += [_attach(plan, manifest, role) for role in plan.snapshots]
    from_snapshot = plan.database and plan.database_from is DatabaseSource.SNAPSHOT
    if from_snapshot:
        beside = "beside those that stand" if plan.replaces_database else f"as {plan.database}"
        steps.append(
            f"Copy {len(manifest.database_files)} database files, attach them {beside}, DBCC CHECKDB: nothing is "
            "overwritten before that has passed."
        )
    if plan.overwrites:
        steps.append(f"Take the site offline (app_offline.htm in {plan.target.web.path}).")
        steps.append("Take a safety recovery point of what is about to be overwritten.")
    if plan.folder:
        what = ", ".join(plan.paths) or "everything"
        where = f"{plan.folder} on {plan.target.web.instance}"
        steps.append(f"Copy {what} to {where} and compare it with the snapshot.{_led(manifest)}")
    if plan.database and plan.database_from is DatabaseSource.BACKUP_FILE and manifest.parts.bak:
        steps.append(f"RESTORE DATABASE {plan.database} from the .bak ({_size(manifest.parts.bak.size_bytes)}).")
    if from_snapshot and plan.replaces_database:
        steps.append(f"Let the database from the snapshot take the place of {plan.database}.")
    if plan.database:
        steps.append(f"DBCC CHECKDB ({plan.database}); users without a login are reported.")
    if plan.overwrites:
        steps.append("Bring the site online.")
    if plan.snapshots:
        steps.append("Detach and delete the volumes.")
    return steps


def _led(manifest: Manifest) -> str:
    path, seen = manifest.source.web.path, seen_folder(manifest)
    return f" It comes from where {path} led in the snapshot; the look before it has seen {seen}." if seen else ""


def _attach(plan: RestorePlan, manifest: Manifest, role: SnapshotRole) -> str:
    snapshot = manifest.snapshot(role)
    host = host_of(plan.target, role)
    name = f"{snapshot.snapshot_id}, {snapshot.size_gib} GiB" if snapshot else "missing"
    return (
        f"Make a volume from the {role.value} ({name}) in {host.zone}, attach it to {host.instance}, and look whether "
        "what is to come back is there and has room."
    )


def _folder(facts: FolderFacts | None) -> str:
    if facts is None or not facts.exists:
        return "not there now"
    free = _room(facts)
    if facts.files is None or facts.bytes is None:
        return f"more files than could be counted, {free}"
    return f"{facts.files:,} files, {_size(facts.bytes)}, {free}"


def _room(facts: FolderFacts) -> str:
    size = "an unknown size" if facts.free_bytes is None else _size(facts.free_bytes)
    return f"{size} free on its disk"


def _bullets(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _size(number: int) -> str:
    size = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size /= 1024
    return f"{size:,.1f} TiB"


def _age(now: datetime, moment: datetime) -> str:
    return _duration((now - moment).total_seconds())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
