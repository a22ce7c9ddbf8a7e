"""Tells where the bytes of tenants that have left still are: in all snapshots of their volumes that were started before
their data was removed from the servers, whoever uses those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from include.rules.errors import ConflictError, PartError, UnavailableError
from include.rules.register.register import Register
from include.rules.retention.erasure import HeldSnapshot, bytes_left_note, volumes_unknown_note
from include.rules.retention.fleet import FleetPlan
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.plan import Verdict
from include.rules.retention.reports import SharedReport
from perennial.hooks.asynchronous import in_order
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import CLAIM_TAG, POINT_TAG, TENANT_TAG, Snapshot
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.vault import READS_AT_ONCE, Vault
from perennial.retention.shared_looks import SharedLooks
from perennial.retention.tenant_volumes import volumes_of_tenant
from perennial.retention.troubles import trouble_of


async def note_gone_tenants(
    looks: SharedLooks, register: Register, plans: FleetPlan, report: SharedReport, *, dry_run: bool
) -> None:
    """Report each tenant that is recorded as gone and whose bytes are in snapshots, in a line for each.

    Args:
        looks: Those of a run that has looked at the whole vault.
        plans: The plans of all tenants, which know how long the points are kept that use the snapshots.
        dry_run: Write nothing down: not even on which volumes a tenant was.

    Raises:
        UnavailableError: when the vault does not answer.
    """

    def verdict_of(tenant: str, point: str) -> Verdict | None:
        plan = plans.plans.get(tenant)
        return plan.verdicts.get(point) if plan else None

    records = await _records(looks, register, report, dry_run=dry_run)
    try:
        held = await _snapshots_on(looks, {volume for record in records for volume in record.volumes})
    except UnavailableError as error:
        names = ", ".join(record.tenant for record in records)
        report.troubles.append(trouble_of(error, f"Where the bytes of tenants are that have left ({names})"))
        return
    for record in records:
        on_volumes = (snapshot for volume in record.volumes for snapshot in held.get(volume, ()))
        if with_bytes := [snapshot for snapshot in on_volumes if record.has_bytes_in(snapshot.started_at)]:
            report.notes.append(bytes_left_note(record, with_bytes, verdict_of))
        elif not record.volumes:
            report.notes.append(volumes_unknown_note(record))


async def _records(looks: SharedLooks, register: Register, report: SharedReport, *, dry_run: bool) -> list[Offboarding]:
    """The records of all tenants that have left, with the volumes on which each was, in the order of their names."""
    vault, seen_on = looks.vault, defaultdict[str, set[str]](set)
    gone = [tenant for tenant in await vault.offboarded_tenants() if not register.mentions(tenant)]
    if gone:  # a fleet has ten thousands of shared snapshots
        those = frozenset(gone)
        for entry in looks.latest.entries.values():
            for tenant in entry.tenants & those:
                seen_on[tenant].add(entry.name.volume)

    async def read(tenant: str) -> Offboarding | None:
        try:
            version = await vault.offboarded.get_in_place(tenant, tenant)
        except (PartError, AwsRejectedError) as error:
            report.troubles.append(trouble_of(error, f"Tenant {tenant}, which may have left"))
            return None
        return await _with_volumes(vault, version, seen_on[tenant], report, dry_run=dry_run) if version else None

    return [record async for _, record in in_order(gone, read, at_once=READS_AT_ONCE) if record]


async def _with_volumes(
    vault: Vault, version: Versioned[Offboarding], seen_on: Iterable[str], report: SharedReport, *, dry_run: bool
) -> Offboarding:
    """The record that knows the tenant's volumes, written down once all that may tell of them could be read."""
    before, found, unread = version.value, set(seen_on), list[PartError | AwsRejectedError]()
    if not before.volumes:
        of_points, unread = await volumes_of_tenant(vault, before.tenant)
        found |= of_points
    report.troubles += [
        trouble_of(error, f"Tenant {before.tenant}, of which not all volumes are known") for error in unread
    ]
    record = before.on_volumes(found)
    if record != before and not unread and not dry_run:
        with suppress(ConflictError):  # somebody records it anew: the next run looks again
            await vault.offboarded.replace(record, version.etag)
    return record


async def _snapshots_on(looks: SharedLooks, volumes: Collection[str]) -> Mapping[str, list[HeldSnapshot]]:
    """What there is of these volumes at this moment, by volume: also what no document knows."""
    entries = looks.latest.entries.values()
    users = {(e.name.volume, tag): e.users for e in entries if e.name.volume in volumes for tag in e.tags}
    held = defaultdict[str, list[HeldSnapshot]](list)

    def users_of(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
        if claim := snapshot.tags.get(CLAIM_TAG):
            return users.get((snapshot.volume_id, claim), ())
        tenant, point = snapshot.tags.get(TENANT_TAG), snapshot.tags.get(POINT_TAG)
        return ((tenant, point),) if tenant and point else ()

    async for snapshot in Ebs.of(looks.vault.settings).snapshots_of_volumes(volumes):
        held[snapshot.volume_id].append(HeldSnapshot(snapshot.volume_id, snapshot.started_at, users_of(snapshot)))
    return held
