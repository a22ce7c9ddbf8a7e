"""The demo's report: what was made, where it lies, how long each step took, and what started a worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from demo.runs import Run
from demo.story import BACKUP, DISPATCH, RESTORE, VICTIM, Outcome
from lab.settings import VAULT_BUCKET, LabSettings

MIB = 1024 * 1024


def report(settings: LabSettings, outcome: Outcome) -> str:
    """The whole report as lines of text."""
    return "\n".join([*_recovery_points(settings, outcome), "", *_restored(outcome), "", *_worker_starts(outcome)])


def _recovery_points(settings: LabSettings, outcome: Outcome) -> Iterator[str]:
    runs = {run.tenant: run for run in outcome.backups}
    yield f"Recovery points in s3://{VAULT_BUCKET} ({settings.storage_url})"
    for manifest in outcome.manifests:
        tenant, parts = manifest["tenant"], manifest["parts"]
        content, run = outcome.before[tenant], runs[tenant]
        bak = parts["bak"]
        yield f"  {manifest['id']}: {manifest['state']}, level {manifest['verification']['level']}"
        yield f"    web snapshot  {_snapshot(parts['web_snapshot'])}: {len(content.files)} files and folders"
        yield f"    db snapshot   {_snapshot(parts['db_snapshot'])}"
        yield f"    .bak          {_files(bak['files'])}: {_rows(content.rows, len(content.tables))}"
        yield f"    took          {_seconds(run)}"


def _restored(outcome: Outcome) -> Iterator[str]:
    content = outcome.before[VICTIM]
    other_tenants = " and ".join(tenant for tenant in outcome.before if tenant != VICTIM)
    yield f"Restored {VICTIM} after {_damage(outcome.damage)}"
    rows = _rows(content.rows, len(content.tables))
    yield f"    now           {len(content.files)} files and folders, {rows}: all as before"
    yield f"    untouched     {other_tenants}"
    yield f"    took          {_seconds(outcome.restore)}"


def _damage(differences: list[str]) -> str:
    """The differences, counted: `file ... is missing` and the like."""
    counts = Counter((difference.split()[0], difference.split()[-1]) for difference in differences)
    return (
        f"{counts['file', 'missing']} files and folders deleted, {counts['file', 'changed']} changed, "
        f"{counts['table', 'missing']} tables dropped"
    )


def _worker_starts(outcome: Outcome) -> Iterator[str]:
    starts = outcome.worker_starts
    steps = sum(len(run.steps) for run in outcome.backups)
    yield "Worker starts, counted in Airflow's own records"
    yield f"    {BACKUP:<14}{outcome.backup_worker_starts} ({len(outcome.backups)} runs, {steps} tasks)"
    yield f"    {DISPATCH:<14}{starts[DISPATCH]} (the dispatch that queued them)"
    yield f"    {RESTORE:<14}{starts[RESTORE]}"


def _snapshot(part: dict[str, Any]) -> str:
    return f"{part['snapshot_id']} of {part['volume_id']}"


def _files(files: list[dict[str, Any]]) -> str:
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{files[0]['key']}{more}, {sum(file['size_bytes'] for file in files) / MIB:.1f} MiB"


def _rows(rows: int, tables: int) -> str:
    return f"{rows:,} rows in {tables} tables"


def _seconds(run: Run) -> str:
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in run.steps.items())
    return f"{run.seconds:.1f} s ({steps})"
