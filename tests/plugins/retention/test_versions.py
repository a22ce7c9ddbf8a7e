"""Buckets that keep versions: whichever of them the store refuses to delete, no earlier one shows again."""

from __future__ import annotations

from typing import Any

import pytest

from include.rules.points.manifest import Manifest
from include.rules.points.shared_snapshots import ShareState
from include.rules.points.transitions import State
from perennial.hooks.vault.backup_files import point_prefix
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.shared import add_shared, assert_gone, current

pytestmark = pytest.mark.lab

MANIFESTS = 6
"""Versions of a manifest in these tests: four of before its deletion, that of its beginning, the tombstone."""


@pytest.fixture
def vault_bucket(versioned_bucket: str) -> str:
    return versioned_bucket


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    """A tenant on a policy of three days, with a point of today."""
    fleet.add_daily(NOW, 1)
    return fleet


def refuse(stock: Stock, text: str) -> None:
    """The store refuses to delete what has this text in its key or in its version."""
    stock.storage.faults.add("s3:DeleteObject", match=text, code="AccessDenied", status=403, times=None)


def versions_of(stock: Stock, key: str) -> list[dict[str, Any]]:
    """The versions of an object, as the store lists them."""
    place = stock.vault.documents
    answer = stock.s3.list_object_versions(Bucket=place.bucket, Prefix=place.prefix + key)
    found: list[dict[str, Any]] = answer.get("Versions", [])
    return found


def deleted_but_for_its_manifest(stock: Stock) -> Manifest:
    """A point whose parts have gone, and of whose manifest, once verified and changed, the store deletes nothing."""
    old = stock.add_expiring(OLD, NOW - 2 * DAY)
    stock.change(old, state=State.VERIFIED, expiry=None)
    stock.change(old, state=State.EXPIRING, expiry=old.expiry)
    stock.change(old, note="changed")
    refuse(stock, point_prefix(old.tenant, old.id) + "manifest.json")
    stock.retain()
    stock.storage.faults.clear()
    return old


@pytest.mark.parametrize("number", range(MANIFESTS))
def test_a_deleted_point_never_shows_as_verified_whichever_version_of_its_manifest_cannot_be_deleted(
    fleet: Stock, number: int
) -> None:
    old = deleted_but_for_its_manifest(fleet)
    versions = versions_of(fleet, point_prefix(old.tenant, old.id) + "manifest.json")
    assert len(versions) == MANIFESTS
    refuse(fleet, versions[number]["VersionId"])
    (message,) = fleet.retain().needing_operator()
    assert f"{old.id}/manifest.json of recovery point {old.id} of tenant acme was not deleted" in message
    assert fleet.state(old) == "expired"
    fleet.storage.faults.clear()
    assert fleet.retain(NOW + DAY).not_done() == []
    assert fleet.state(old) == "gone"
    assert fleet.remaining_parts(old) == ([], [])


@pytest.mark.parametrize("number", range(3))
def test_no_list_that_is_empty_shows_its_users_again_whichever_version_of_it_cannot_be_deleted(
    fleet: Stock, number: int
) -> None:
    shared = add_shared(fleet, OLD)
    for state in (ShareState.SEALED, ShareState.DELETING):
        fleet.run(fleet.vault.shared_snapshots.put(current(fleet, shared).model_copy(update={"state": state})))
    versions = versions_of(fleet, fleet.vault.shared_snapshots.key(shared.volume, shared.id))
    assert len(versions) == 3
    refuse(fleet, versions[number]["VersionId"])
    other = add_shared(fleet, OLD, state=ShareState.DELETING)
    report = fleet.retain()
    assert len(report.needing_operator()) == 1
    assert current(fleet, shared).state is ShareState.DELETING
    assert_gone(fleet, other)  # one document's trouble stops no other
    fleet.storage.faults.clear()
    assert fleet.retain(NOW + DAY).not_done() == []
    assert_gone(fleet, shared)
