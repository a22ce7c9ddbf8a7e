"""What is none of retention's own: named where it stays, and not taken for one where another run is only faster."""

from __future__ import annotations

from collections.abc import Iterable
from unittest.mock import ANY

import pytest

from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.transitions import State
from perennial.hooks.register import read_register
from perennial.retention.fleet import Retention
from perennial.retention.inventory import TenantInventory, take_inventory
from perennial.retention.shared_looks import SharedLooks, SnapshotListing
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.shared import add_sharing, find, is_there, two_of_today

pytestmark = pytest.mark.lab

MARKED = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED)


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    return two_of_today(fleet)


async def retain_meanwhile(stock: Stock) -> None:
    """Another run of the fleet comes to its end."""
    register = await read_register(stock.vault.settings)
    await Retention(stock.vault, register, "test/retention/run-2", NOW).run_for_fleet()


def test_what_lies_among_documents_and_is_none_is_reported_and_stops_nothing(fleet: Stock) -> None:
    (acme, globex), (web, _) = add_sharing(fleet, OLD)
    for point in (acme, globex):
        fleet.change(point, state=State.EXPIRING, expiry=MARKED)
    place, key = fleet.vault.documents, fleet.vault.shared_snapshots.key(web.volume, web.id)
    strays = [f"{key}.bak", "restores/acme/acme-restore-20260414T020000Z.json.bak"]
    for stray in strays:
        fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + stray, Body=b"{}")
    messages = fleet.retain().needing_operator()
    assert [message.partition(": ") for message in messages] == [
        ("Among the records of tenant acme lie objects that no document is called like", ": ", ANY),
        ("Among the documents of shared snapshots lie objects that no document is called like", ": ", ANY),
    ]
    assert all(stray in message for stray, message in zip(reversed(strays), messages, strict=True))
    assert (fleet.state(acme), fleet.state(globex)) == ("gone", "gone")
    assert (find(fleet, web), is_there(fleet, web)) == (None, False)
    assert all(fleet.keys(stray) for stray in strays)


@pytest.mark.parametrize("sees_all", [True, False], ids=["the fleet", "one tenant"])
def test_a_point_that_another_run_deletes_in_the_midst_of_a_look_is_no_stranger(
    fleet: Stock, *, sees_all: bool
) -> None:
    """The fleet's run has read the lists before, that of one tenant its manifests: neither is what it was."""
    points, _ = add_sharing(fleet, OLD)
    fleet.change(points[0], state=State.EXPIRING, expiry=MARKED)

    class Overtaken(SharedLooks):
        async def look_at(self, tenant: str, manifests: Iterable[Manifest]) -> SnapshotListing:
            if not sees_all:
                await retain_meanwhile(fleet)
            return await super().look_at(tenant, manifests)

    async def look() -> TenantInventory:
        looks = Overtaken(fleet.vault)
        if sees_all:
            await looks.look_at_every_snapshot()
            await looks.look_at_every_document()
            await retain_meanwhile(fleet)
        return await take_inventory(fleet.vault, "acme", NOW, looks, ignoring_lease_of="nobody")

    inventory = fleet.run(look())
    assert fleet.state(points[0]) == "gone"
    assert (list(map(str, inventory.problems)), inventory.notes) == ([], [])
