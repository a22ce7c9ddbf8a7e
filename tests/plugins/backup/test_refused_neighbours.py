"""What AWS refuses one tenant of a volume: whom of the others it fails, and whom not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from include.rules.errors import PartError
from include.rules.points.parts import Parts
from tests.support.neighbours import Neighbours, by_hand, daily
from tests.support.steps import OPEN, WEB
from tests.support.waits import shorten

pytestmark = pytest.mark.lab


def snapshot_of(neighbours: Neighbours, tenant: str) -> str | None:
    part = neighbours.world.manifest(daily(tenant)).parts.web_snapshot
    return part.snapshot_id if part else None


def test_who_needs_no_new_snapshot_does_not_fail_for_what_aws_refuses_a_neighbour(neighbours: Neighbours) -> None:
    world = neighbours.world
    neighbours.at_once([OPEN, WEB])
    made = snapshot_of(neighbours, "acme")
    world.change_manifest(daily("acme"), lambda manifest: manifest.model_copy(update={"parts": Parts(), "looks": {}}))
    neighbours.add("globex")  # nobody has looked at it before the claim
    neighbours.at_once([OPEN], tenants=["globex"])
    world.cloud.add_fault("ec2:CreateSnapshot", code="SnapshotLimitExceeded", delay=3)

    refused, served = world.runner.run(
        neighbours.while_aws_keeps_waiting(neighbours.work(WEB, daily("globex")), neighbours.work(WEB, daily("acme")))
    )
    assert isinstance(refused, PartError)
    assert "of tenant globex could not be snapshotted: An error occurred (SnapshotLimitExceeded)" in str(refused)
    assert (served["snapshot"], snapshot_of(neighbours, "acme")) == (made, made)


@pytest.mark.parametrize("first", [daily, by_hand])
def test_a_refusal_that_passes_fails_only_the_one_whose_time_is_over(
    neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch, first: Callable[[str], str]
) -> None:
    world = neighbours.world
    shorten(monkeypatch, "SNAPSHOT_GRANTED", 0)
    neighbours.add("globex")
    neighbours.at_once([OPEN], tenants=["acme"], request=first)
    neighbours.at_once([OPEN], tenants=["globex"])
    world.cloud.add_fault("ec2:CreateSnapshot", code="ConcurrentSnapshotLimitExceeded", delay=3)

    refused, served = world.runner.run(
        neighbours.while_aws_keeps_waiting(neighbours.work(WEB, first("acme")), neighbours.work(WEB, daily("globex")))
    )
    assert isinstance(refused, PartError)
    assert "of tenant acme could not be snapshotted: An error occurred (ConcurrentSnapshotLimit" in str(refused)
    assert served["snapshot"] == snapshot_of(neighbours, "globex")
