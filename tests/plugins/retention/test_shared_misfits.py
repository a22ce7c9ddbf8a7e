"""Snapshots that only seem to be those of a claim, and documents whose snapshot only seems to have gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from include.rules.points.transitions import State
from include.rules.retention import shared as rules
from perennial.hooks.aws.ebs_items import CLAIM_TAG, VAULT_TAG, VOLUME_TAG
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.retention_runs import asking_elsewhere
from tests.support.shared import add_shared, add_sharing, assert_gone, current, find, is_there, snapshot_of, users

pytestmark = pytest.mark.lab

TODAY = NOW - timedelta(hours=3)
MARKED = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED)


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    """A tenant on a policy of three days, with a point of today that has no snapshots."""
    fleet.add_daily(NOW, 1, roles=())
    return fleet


def expiring(stock: Stock) -> tuple[Manifest, SharedSnapshot, SharedSnapshot]:
    """A point whose grace period is over, and the shared snapshots that it is the last to use."""
    (point,), (web, database) = add_sharing(stock, OLD, ["acme"])
    stock.change(point, state=State.EXPIRING, expiry=MARKED)
    return point, web, database


def edit(stock: Stock, document: SharedSnapshot, **changes: object) -> None:
    """Somebody edits the document."""
    stock.run(stock.vault.shared_snapshots.put(current(stock, document).model_copy(update=changes)))


def of_a_volume_that_has_gone(stock: Stock, *states: ShareState) -> list[SharedSnapshot]:
    """Shared snapshots in these states of a volume that nobody has any more."""
    volume = stock.cloud.make_volume()
    stock.ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1})
    documents = [add_shared(stock, OLD, number=n, volume=volume, state=one) for n, one in enumerate(states, start=1)]
    stock.ec2.delete_volume(VolumeId=volume)
    return documents


def tag(stock: Stock, snapshot: str, document: SharedSnapshot) -> None:
    """Give a snapshot the tags of a claim."""
    tags = {VAULT_TAG: stock.vault.settings.vault, VOLUME_TAG: document.volume, CLAIM_TAG: document.tag}
    stock.ec2.create_tags(Resources=[snapshot], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])


def test_a_copy_with_the_tags_of_a_claim_stays_and_is_reported_when_the_claim_has_gone_too(fleet: Stock) -> None:
    point, web, database = expiring(fleet)
    copy = snapshot_of(fleet, database.volume, "none")
    tag(fleet, copy, web)
    (message,) = fleet.retain().needing_operator()
    assert f"Snapshots of volume {database.volume} pass for shared snapshot {web.name}: {copy}." in message
    assert fleet.state(point) == "gone"
    assert_gone(fleet, web, database)
    assert copy in fleet.snapshots()
    (message,) = fleet.retain(NOW + DAY).needing_operator()
    assert f"carry the tag of claim {web.tag}, and the vault has no document of it: {copy}." in message
    assert copy in fleet.snapshots()


def test_a_copy_is_no_extra_of_the_claim_that_it_has_the_tags_of(fleet: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "LAG", timedelta(0))
    _, (web, database) = add_sharing(fleet, TODAY, ["acme"], kind="manual")
    copy = snapshot_of(fleet, database.volume, "none")
    tag(fleet, copy, web)
    (message,) = fleet.retain().needing_operator()
    assert f"pass for shared snapshot {web.name}: {copy}." in message
    assert copy in fleet.snapshots()


def test_a_document_that_names_a_snapshot_of_another_volume_deletes_neither_it_nor_itself(fleet: Stock) -> None:
    _, web, database = expiring(fleet)
    foreign = snapshot_of(fleet, database.volume, "none")
    edit(fleet, web, snapshot_id=foreign)
    messages = fleet.retain().needing_operator()
    what = f"Snapshots of volume {database.volume} pass for shared snapshot {web.name}: {foreign}."
    assert any(what in message for message in messages)
    assert foreign in fleet.snapshots()
    assert current(fleet, web).state is ShareState.DELETING


def test_a_list_with_users_lets_nothing_go_although_its_document_says_so(fleet: Stock) -> None:
    (point,), (web, _) = add_sharing(fleet, OLD, ["acme"])
    fleet.change(point, parts=point.parts.model_copy(update={"web_snapshot": None}))
    edit(fleet, web, state=ShareState.DELETING)
    messages = fleet.retain().needing_operator()
    what = f"Shared snapshot {web.name} is in state `deleting`, and 1 recovery points are on its list"
    assert any(what in message for message in messages)
    assert is_there(fleet, web)
    assert users(fleet, web) == [point.id]


def test_a_snapshot_that_a_manifest_names_is_no_extra_although_the_document_names_another_one(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "LAG", timedelta(0))
    _, (web, _) = add_sharing(fleet, TODAY, ["acme"], kind="manual")
    edit(fleet, web, snapshot_id=snapshot_of(fleet, web.volume, web.tag))
    (message,) = fleet.retain().needing_operator()
    assert f"Recovery points name {web.snapshot_id} as shared snapshot {web.name}, and its document names" in message
    assert is_there(fleet, web)


def test_a_run_in_the_wrong_region_forgets_no_document_and_says_why(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a claim of which no snapshot is known: one may have been made."""
    monkeypatch.setattr(rules, "LAG", timedelta(0))
    documents = [
        add_shared(fleet, OLD, state=ShareState.DELETING),
        add_shared(fleet, OLD, state=ShareState.DELETING, snapshot_id=None, started_at=None),
    ]
    with asking_elsewhere(fleet):
        messages = fleet.retain().shared.troubles
        assert len(messages) == 2
        for document, trouble in zip(sorted(documents, key=lambda one: one.volume), messages, strict=True):
            assert f"Nobody uses shared snapshot {document.name} any more." in trouble.message
            assert "Check account and Region" in trouble.message
            assert trouble.needs_operator
    for document in documents:
        assert current(fleet, document).state is ShareState.DELETING
    assert len(fleet.snapshots()) == 2
    assert fleet.retain(NOW + timedelta(minutes=1)).not_done() == []
    assert fleet.snapshots() == {}
    assert [find(fleet, document) for document in documents] == [None, None]


def test_a_document_whose_snapshot_went_in_an_interrupted_run_is_forgotten_where_the_volume_is(fleet: Stock) -> None:
    """Also by the only snapshot of a fleet: there is no other one to tell the Region by."""
    document = add_shared(fleet, OLD, state=ShareState.DELETING)
    fleet.ec2.delete_snapshot(SnapshotId=document.snapshot_id)
    assert fleet.retain().not_done() == []
    assert_gone(fleet, document)


def test_a_volume_that_has_gone_takes_its_last_snapshot_along(fleet: Stock) -> None:
    (document,) = of_a_volume_that_has_gone(fleet, ShareState.DELETING)
    assert fleet.retain().shared.deleted == [f"{document.snapshot_id} of {document.name}"]
    assert_gone(fleet, document)


def test_what_is_left_of_a_volume_that_has_gone_tells_the_region_as_well(fleet: Stock) -> None:
    first, _ = of_a_volume_that_has_gone(fleet, ShareState.DELETING, ShareState.SEALED)
    fleet.ec2.delete_snapshot(SnapshotId=first.snapshot_id)
    assert fleet.retain().not_done() == []
    assert_gone(fleet, first)


def test_where_nothing_is_left_of_a_volume_a_person_is_told_what_to_do_with_the_document(fleet: Stock) -> None:
    """As after a run that was interrupted between the last snapshot and its document."""
    (document,) = of_a_volume_that_has_gone(fleet, ShareState.DELETING)
    fleet.ec2.delete_snapshot(SnapshotId=document.snapshot_id)
    (message,) = fleet.retain().needing_operator()
    assert f"Nobody uses shared snapshot {document.name} any more. Its snapshot {document.snapshot_id} is" in message
    assert "delete the document by hand" in message
    assert current(fleet, document).state is ShareState.DELETING
