"""The ways that stand side by side: which DAG queues the fleet, which backs one tenant up, where its points lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lab.environment import PROJECT
from lab.settings import HOST, VAULT_BUCKET, LabSettings

PRELOADED = PROJECT / "bench" / "preloaded"


@dataclass(frozen=True)
class Way:
    """One way to back a fleet up through Airflow.

    Attributes:
        name: Short; also the prefix of its own vault, so that each way does the whole work.
        title: As tables have it.
        dispatch: The DAG that queues the fleet.
        backup: The DAG that backs one tenant up.
        by_hand: The DAG that backs one tenant up at once.
        is_preloaded: Whether the scheduler loads what workers need, before they fork.
    """

    name: str
    title: str
    dispatch: str
    backup: str
    by_hand: str
    is_preloaded: bool = False

    def environment(self, settings: LabSettings) -> dict[str, str]:
        """What this way adds to the environment of Airflow's components."""
        path = {"PYTHONPATH": f"{PRELOADED}:{PROJECT}"} if self.is_preloaded else {}
        return {**vault_environment(settings, self.name), **path}

    def warm_up(self, tenant: str) -> dict[str, str]:
        """What `by_hand` is triggered with to back up one tenant before anything is measured."""
        if self.by_hand == "manual_backup":
            return {"tenant": tenant}
        return {"request": f"{tenant}|manual|{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}


WORKERLESS = Way("workerless", "workerless (Perennial)", "daily_backups", "tenant_backup", "manual_backup")
SYNC = Way("sync", "(a) sync operators", "bench_sync_dispatch", "bench_sync_backup", "bench_sync_backup")
DEFERRABLE = Way(
    "deferrable",
    "(b) deferrable operators",
    "bench_deferrable_dispatch",
    "bench_deferrable_backup",
    "bench_deferrable_backup",
)

SYNC_PRELOADED = replace(SYNC, name="sync-preloaded", title="(a) sync operators, preloaded", is_preloaded=True)
DEFERRABLE_PRELOADED = replace(
    DEFERRABLE, name="deferrable-preloaded", title="(b) deferrable operators, preloaded", is_preloaded=True
)


def vault_environment(settings: LabSettings, name: str) -> dict[str, str]:
    """The settings that lead to a vault of its own below the lab's bucket."""
    return {
        "PERENNIAL_VAULT": f"s3://{VAULT_BUCKET}/{name}",
        "PERENNIAL_BACKUP_URL": f"s3://{HOST}:{settings.storage_port}/{VAULT_BUCKET}/{name}",
    }
