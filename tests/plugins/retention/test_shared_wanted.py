"""Shared snapshots whose lists somebody has edited: what a point needs, or may need for all that is known, stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml

from include.rules.errors import PartError
from include.rules.points.left_over import volumes_of
from include.rules.points.looks import TenantLook, VolumeLook
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from include.rules.points.transitions import State
from perennial.retention.inventory import take_inventory
from perennial.retention.shared_looks import SharedLooks
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.retention_runs import retain_one
from tests.support.shared import add_sharing, assert_gone, current, is_there, two_of_today, users

pytestmark = pytest.mark.lab

TODAY = NOW - timedelta(hours=3)
MARKED = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED)
IN_GRACE = Expiry(marked_at=NOW - timedelta(hours=1), previous_state=State.VERIFIED)


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    return two_of_today(fleet)


def strike(stock: Stock, point: Manifest, *documents: SharedSnapshot) -> None:
    """Somebody takes the point off these lists by hand, and does nothing else."""
    for document in documents:
        change = lambda found: found.left(point.tenant, point.id, 0)  # noqa: E731 - a change by compare and swap
        stock.run(stock.vault.change_shared_snapshot(document.volume, document.id, change))


def spoil(stock: Stock, point: Manifest) -> None:
    """The point's manifest becomes one that this version cannot read."""
    place, key = stock.vault.documents, stock.vault.points.key(point.tenant, point.id)
    stock.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b'{"version": 9}')


def test_the_run_for_one_tenant_deletes_nothing_that_a_neighbours_manifest_names(fleet: Stock) -> None:
    """The neighbour has been taken off the lists by hand, so that the tenant is the last one on them."""
    (acme, globex), shared = add_sharing(fleet, OLD)
    strike(fleet, globex, *shared)
    fleet.change(acme, state=State.EXPIRING, expiry=MARKED)
    report = retain_one(fleet, "acme")
    assert report.not_done() == []
    assert fleet.state(acme) == "gone"
    assert [users(fleet, one) for one in shared] == [[], []]
    assert all(is_there(fleet, one) for one in shared)
    messages = fleet.retain(NOW + timedelta(minutes=1)).needing_operator()
    assert len(messages) == 2
    assert all(f"Recovery point {globex.id} of tenant globex uses shared snapshot" in message for message in messages)
    assert all(is_there(fleet, one) for one in shared)


def test_a_point_in_its_grace_period_keeps_its_snapshot_until_it_goes_itself(fleet: Stock) -> None:
    (acme,), shared = add_sharing(fleet, OLD, ["acme"])
    strike(fleet, acme, *shared)
    fleet.change(acme, state=State.EXPIRING, expiry=IN_GRACE)
    messages = fleet.retain().needing_operator()
    assert len(messages) == 2
    assert all("and is not on the list of its users" in message for message in messages)
    assert [current(fleet, one).state for one in shared] == [ShareState.DELETING] * 2
    assert all(is_there(fleet, one) for one in shared)

    fleet.retain(NOW + DAY)  # the run that deletes the point lets the bytes go
    assert fleet.state(acme) == "gone"
    assert_gone(fleet, *shared)


@pytest.mark.parametrize("state", [State.FAILED, State.RUNNING])
def test_what_the_manifest_of_a_failed_or_running_point_names_is_not_deleted(fleet: Stock, state: State) -> None:
    (acme,), shared = add_sharing(fleet, TODAY, ["acme"], kind="manual")
    closed_at = None if state is State.RUNNING else TODAY
    fleet.change(acme, state=state, opened_at=TODAY, closed_at=closed_at, verification=None)
    strike(fleet, acme, *shared)
    assert fleet.retain().shared.deleted == []
    assert all(is_there(fleet, one) for one in shared)


def named_by_a_look(stock: Stock, document: SharedSnapshot) -> None:
    """The document says that globex was seen on the volume before the snapshot was asked for."""
    look = TenantLook(tenant="globex", look=VolumeLook(at=OLD))
    changes = {"looks": {"0123456789abcdef": look}}
    stock.run(stock.vault.shared_snapshots.put(current(stock, document).model_copy(update=changes)))


def named_by_the_register(stock: Stock, document: SharedSnapshot) -> None:
    """The register says that globex lives on the volume."""
    register = stock.config / "tenants.yaml"
    entries = yaml.safe_load(register.read_text())
    entries["tenants"][1]["database"]["volume"] = document.volume
    register.write_text(yaml.safe_dump(entries))


def named_by_another_list(stock: Stock, document: SharedSnapshot) -> None:
    """Another snapshot of the volume has a point of globex on its list."""
    other = document.model_copy(update={"id": "20260415-0001", "nonce": "other", "state": ShareState.SEALED})
    point = stock.add(OLD + DAY, tenant="globex", kind="manual", roles=())
    user = document.users[0].model_copy(update={"tenant": "globex", "point": point.id})
    stock.run(stock.vault.shared_snapshots.create(other.model_copy(update={"users": (user,)})))


def named_by_what_cannot_be_read(stock: Stock, document: SharedSnapshot) -> None:
    """Another document of the volume is damaged, so that nobody knows whom it names."""
    place, key = stock.vault.documents, stock.vault.shared_snapshots.key(document.volume, "20260415-0001")
    stock.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b'{"version": 9}')


def named_by_another_point(stock: Stock, document: SharedSnapshot) -> None:
    """A point of globex that can be read shows where it lives, also where the register knows it no more."""
    (point,), (web, _) = add_sharing(stock, OLD + DAY, ["globex"], kind="manual")
    part = point.parts.web_snapshot
    assert part
    moved = part.model_copy(update={"volume_id": document.volume, "claim": ""})
    stock.change(point, parts=point.parts.model_copy(update={"web_snapshot": moved}))
    strike(stock, point, web)


@pytest.mark.parametrize(
    "named",
    [
        named_by_a_look,
        named_by_the_register,
        named_by_another_list,
        named_by_another_point,
        named_by_what_cannot_be_read,
    ],
)
def test_nothing_goes_that_a_tenant_may_need_whose_points_could_not_all_be_read(fleet: Stock, named: object) -> None:
    (acme, globex), (web, database) = add_sharing(fleet, OLD)
    strike(fleet, globex, web, database)
    named(fleet, web)  # type: ignore[operator]
    spoil(fleet, globex)
    fleet.change(acme, state=State.EXPIRING, expiry=MARKED)
    report = fleet.retain()
    assert fleet.state(acme) == "gone"
    assert is_there(fleet, web)
    (message,) = [trouble.message for trouble in report.shared.troubles if "Nobody is on the lists" in trouble.message]
    assert f"{web.name}" in message
    assert "not all points of tenants globex could be looked at" in message
    assert any("is not a Manifest that this version understands" in one for one in report.needing_operator())
    assert message not in report.needing_operator()


def test_a_tenant_that_cannot_be_looked_at_keeps_nothing_on_volumes_on_which_it_never_was(fleet: Stock) -> None:
    (acme,), shared = add_sharing(fleet, OLD, ["acme"])
    spoil(fleet, fleet.add(OLD, tenant="globex", kind="manual"))
    fleet.change(acme, state=State.EXPIRING, expiry=MARKED)
    fleet.retain()
    assert_gone(fleet, *shared)


def test_a_tenant_whose_look_ends_halfway_keeps_what_its_manifests_name(fleet: Stock) -> None:
    """Its points could be read, and what was to be read after them could not."""
    (acme, globex), shared = add_sharing(fleet, OLD)
    strike(fleet, globex, *shared)
    place, key = fleet.vault.documents, fleet.vault.applied_policies.key("globex", "globex")
    fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b'{"version": 9}')
    fleet.change(acme, state=State.EXPIRING, expiry=MARKED)
    report = fleet.retain()
    assert any("the record of the policy" in message for message in report.needing_operator())
    assert fleet.state(acme) == "gone"
    assert all(is_there(fleet, one) for one in shared)


def test_a_second_look_that_ends_halfway_knows_the_volumes_of_the_first(fleet: Stock) -> None:
    """Under the lease only what has changed is read again, and nothing has."""
    points = fleet.run(fleet.vault.manifests("acme"))
    key = fleet.vault.applied_policies.key("acme", "acme")

    async def look_twice() -> SharedLooks:
        looks = SharedLooks(fleet.vault)
        await looks.look_at_every_snapshot()
        first = await take_inventory(fleet.vault, "acme", NOW, looks, ignoring_lease_of="nobody")
        assert looks.wanted.unsure == {}
        assert first.known
        await fleet.vault.documents.create(key, {"version": 9})
        with pytest.raises(PartError, match="the record of the policy"):
            await take_inventory(fleet.vault, "acme", NOW, looks, ignoring_lease_of="nobody", known=first.known)
        return looks

    looks = fleet.run(look_twice())
    assert looks.wanted.unsure == {"acme": set[str]().union(*map(volumes_of, points))}
