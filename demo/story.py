"""The demo's story: back up three tenants, wreck one, bring it back, and see that everything is as it was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from demo import vault
from demo.airflow_api import POLL_SECONDS, TERMINAL, AirflowApi
from demo.environment import airflow_url
from demo.fingerprint import Fingerprint, fingerprint
from demo.narrator import Narrator
from demo.records import worker_starts
from demo.runs import Run, progress, require_success
from demo.stack import Stack
from lab.seed.register import registered
from lab.seed.tenants import seed
from lab.settings import LabSettings
from lab.wreck import CHANGED_FILE, DELETED_FOLDER, DROPPED_TABLE, wreck

VICTIM = "acme"
DISPATCH, BACKUP, RESTORE = "daily_backups", "tenant_backup", "restore"
DAGS_SECONDS, DISPATCH_SECONDS, BACKUP_SECONDS, RESTORE_SECONDS = 300, 300, 600, 600


class StoryError(RuntimeError):
    """Something that the demo promises did not hold."""


@dataclass(frozen=True)
class Outcome:
    """Everything there is to report."""

    manifests: list[dict[str, Any]]
    backups: list[Run]
    restore: Run
    damage: list[str]
    before: dict[str, Fingerprint]
    worker_starts: Counter[str]

    @property
    def backup_worker_starts(self) -> int:
        """How often a worker was started for all the tenants' backups together: 0 is the promise."""
        return self.worker_starts[BACKUP]


def tell(stack: Stack, narrator: Narrator) -> Outcome:
    """Run the whole story on a stack with nothing in it.

    Raises StoryError, AirflowError or ProcessError, saying what did not hold.
    """
    settings = stack.settings
    with narrator.chapter("Starting the lab, PostgreSQL and Airflow"):
        stack.start()
    with narrator.chapter("Seeding three tenants") as say:
        seed(settings, say)
        before = _fingerprints(settings)
    with narrator.chapter("Waiting for Airflow to be healthy"):
        stack.wait_until_healthy()
        api = AirflowApi(airflow_url(settings))
        api.wait_for_dags([DISPATCH, BACKUP, RESTORE], DAGS_SECONDS)
    with narrator.chapter("Backing up: daily_backups names the tenants, tenant_backup runs once for each") as say:
        backups = _back_up(stack, api, list(before), say)
        manifests = vault.manifests(settings)
        _check_manifests(manifests, list(before))
    with narrator.chapter(f"Wrecking {VICTIM}: files deleted and changed, a table dropped") as say:
        wreck(settings, registered(settings)[VICTIM])
        damage = before[VICTIM].differences(_fingerprints(settings)[VICTIM])
        _check_damage(damage)
        say(f"{len(damage)} differences from what it was")
    with narrator.chapter(f"Restoring {VICTIM}") as say:
        restore = _restore(stack, api, say)
    with narrator.chapter("Comparing every file and every table with those before"):
        _check_same(before, _fingerprints(settings))
    outcome = Outcome(manifests, backups, restore, damage, before, worker_starts(settings))
    if outcome.backup_worker_starts:
        raise StoryError(f"Backups should start no worker, but did {outcome.backup_worker_starts} times.")
    return outcome


def _fingerprints(settings: LabSettings) -> dict[str, Fingerprint]:
    return {tenant: fingerprint(settings, entry) for tenant, entry in registered(settings).items()}


def _back_up(stack: Stack, api: AirflowApi, tenants: list[str], say: Callable[[str], None]) -> list[Run]:
    dispatch = api.trigger(DISPATCH)
    require_success(api, api.wait_for_run(DISPATCH, dispatch, DISPATCH_SECONDS, stack.check))
    deadline = time.monotonic() + BACKUP_SECONDS
    while True:
        stack.check()
        runs = api.runs(BACKUP)
        say("; ".join(progress(api, run) for run in runs))
        if len(runs) >= len(tenants) and all(run["state"] in TERMINAL for run in runs):
            return [require_success(api, run) for run in runs]
        if time.monotonic() > deadline:
            raise StoryError(f"After {BACKUP_SECONDS} s not all of {', '.join(tenants)} have been backed up.")
        time.sleep(POLL_SECONDS)


def _check_manifests(manifests: list[dict[str, Any]], tenants: list[str]) -> None:
    verified = {manifest["tenant"] for manifest in manifests if manifest["state"] == "verified"}
    if without := [tenant for tenant in tenants if tenant not in verified]:
        states = {manifest["id"]: manifest["state"] for manifest in manifests}
        raise StoryError(f"The vault holds no verified recovery point of {', '.join(without)}. It holds {states}.")


def _check_damage(damage: list[str]) -> None:
    expected = (f"file {DELETED_FOLDER}/", f"file {CHANGED_FILE} has changed", f"table {DROPPED_TABLE} is missing")
    for sign in expected:
        if not any(difference.startswith(sign) for difference in damage):
            raise StoryError(f"{VICTIM} was wrecked, but the comparison does not see it: nothing says {sign!r}.")


def _restore(stack: Stack, api: AirflowApi, say: Callable[[str], None]) -> Run:
    run_id = api.trigger(RESTORE, {"tenant": VICTIM, "confirm": VICTIM})

    def tick() -> None:
        stack.check()
        say(" > ".join(task["task_id"] for task in api.tasks(RESTORE, run_id) if task["state"] == "success"))

    return require_success(api, api.wait_for_run(RESTORE, run_id, RESTORE_SECONDS, tick))


def _check_same(before: dict[str, Fingerprint], after: dict[str, Fingerprint]) -> None:
    for tenant, fingerprint_before in before.items():
        if differences := fingerprint_before.differences(after[tenant]):
            examples = "; ".join(differences[:10])
            raise StoryError(f"{tenant} is not as it was before: {len(differences)} differences, such as {examples}.")
