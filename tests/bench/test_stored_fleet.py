"""The stored fleet is what backups leave: documents that the product understands, and one day's work for retention."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from bench.stored_fleet import StoredFleet, a_tenant, bodies, policy_for
from include.rules.points.manifest import Manifest
from include.rules.points.shared_snapshots import SharedSnapshot
from include.rules.retention.plan import Action, plan_retention
from include.rules.retention.timeline import TimelinePoint

DAYS = tuple(date(2026, 11, 26) - timedelta(days=ago) for ago in reversed(range(6)))
VOLUMES = ("vol-0123456789abcdef0", "vol-0123456789abcdef1")


def fleet(*volumes: tuple[str, str]) -> StoredFleet:
    """Two tenants, on a server's two volumes or each on its own."""
    of_each = volumes or (VOLUMES,)
    places = {(one, day): f"snap-{n:017x}" for pair in of_each for one in pair for n, day in enumerate(DAYS)}
    tenants = tuple(a_tenant(number, of_each[number % len(of_each)], len(DAYS)) for number in range(2))
    return StoredFleet("vault/", tenants, DAYS, of_each, places, dict.fromkeys(places, "nonce"))


def content(body: bytes) -> dict[str, object]:
    """What the vault reads of a document: all but the nonce of its last write."""
    return {name: value for name, value in json.loads(body).items() if name != "nonce"}


def test_each_tenant_has_one_point_that_expires_and_one_whose_grace_is_over() -> None:
    stored = {key.removeprefix("vault/"): body for key, body in bodies(fleet())}
    manifests = [
        Manifest.model_validate(content(body)) for key, body in stored.items() if key.endswith("/manifest.json")
    ]
    points = [TimelinePoint.of(manifest) for manifest in manifests if manifest.tenant == "t00001"]
    plan = plan_retention("t00001", points, policy_for(len(DAYS)), datetime(2026, 11, 26, 6, tzinfo=UTC))
    assert [verdict.point.id for verdict in plan.to(Action.EXPIRE)] == ["t00001-daily-20261122"]
    assert [verdict.point.id for verdict in plan.to(Action.DELETE)] == ["t00001-daily-20261121"]
    assert len(plan.kept) == len(DAYS) - 2
    assert all(set(manifest.parts.bak.keys) <= set(stored) for manifest in manifests if manifest.parts.bak)


@pytest.mark.parametrize("volumes", [(), (VOLUMES, ("vol-0123456789abcdef2", VOLUMES[1]))])
def test_every_part_is_in_a_shared_snapshot_that_knows_its_user(volumes: tuple[tuple[str, str], ...]) -> None:
    stored = {key.removeprefix("vault/"): body for key, body in bodies(fleet(*volumes))}
    for key, body in stored.items():
        if not key.endswith("/manifest.json"):
            continue
        manifest = Manifest.model_validate(content(body))
        for part in (manifest.parts.web_snapshot, manifest.parts.db_snapshot):
            assert part
            document = stored[f"shared-snapshots/{part.volume_id}/{part.claim}.json"]
            shared = SharedSnapshot.model_validate(content(document))
            assert shared.snapshot_id == part.snapshot_id
            assert shared.user(manifest.tenant, manifest.id)
