"""Shared snapshots: one snapshot of a volume serves all tenants that are backed up at the time."""

from __future__ import annotations

import gc
from datetime import datetime
from typing import Any

import pytest

from include.rules.errors import PartError
from include.rules.points.levels import not_looked_at
from include.rules.points.looks import TenantLook
from include.rules.points.parts import PartName
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState, SnapshotUser
from include.rules.points.transitions import State
from tests.support.aws_calls import counting
from tests.support.holdings import assert_one_of_each
from tests.support.neighbours import Neighbours, by_hand, daily
from tests.support.steps import BACKUP, CLOSE, DATABASE, OPEN, VERIFY, WEB, chain_before, chain_from
from tests.support.world import PLANS

pytestmark = pytest.mark.lab

TWENTY = [f"t{number:02d}" for number in range(1, 20)]


def only_share(neighbours: Neighbours, tenant: str, volume: str) -> SharedSnapshot:
    (shared,) = [one for one in neighbours.world.shared_snapshots(daily(tenant)) if one.volume == volume]
    return shared


@pytest.mark.timeout(600)
def test_twenty_tenants_at_once_have_one_snapshot_of_each_volume_and_few_calls(neighbours: Neighbours) -> None:
    neighbours.add(*TWENTY)
    neighbours.count_calls()
    with counting(neighbours.world) as requests:
        neighbours.at_once()
    assert len(requests.of("s3")) <= 16 * 20, requests.table()
    assert sum(request.action == "PutObject" for request in requests.of("s3")) <= 12.5 * 20, requests.table()
    calls = neighbours.calls()
    assert calls["ec2:CreateSnapshot"] == 2
    assert calls.total() <= 4 * 20, calls
    for volume in neighbours.volumes:
        (tags,) = neighbours.snapshots_of(volume)
        shared = only_share(neighbours, "acme", volume)
        assert {user.tenant for user in shared.users} == set(neighbours.tenants)
        assert tags == {
            "Name": f"{volume} {shared.id}",
            "cost-centre": "4711",
            "perennial:vault": neighbours.world.vault.settings.vault,
            "perennial:volume": volume,
            "perennial:claim": shared.tag,
        }
    for tenant in neighbours.tenants:
        manifest = assert_one_of_each(neighbours.world, daily(tenant))
        assert manifest.verification
        assert manifest.verification.level == 2


def test_a_tenant_alone_needs_few_calls(neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_POLL_SECONDS", "8")  # how often a script is asked for its end is a matter of time
    neighbours.count_calls()
    neighbours.at_once()
    assert neighbours.calls().total() <= 12, neighbours.calls()


def test_who_comes_within_the_window_joins_what_is_there_without_a_call(neighbours: Neighbours) -> None:
    neighbours.add("globex")
    neighbours.at_once(tenants=["acme"])
    neighbours.count_calls()
    neighbours.at_once(chain_before(VERIFY), tenants=["globex"])
    assert neighbours.calls().total() == 0, neighbours.calls()
    neighbours.at_once(chain_from(VERIFY), tenants=["globex"])
    for volume in neighbours.volumes:
        assert only_share(neighbours, "globex", volume) == only_share(neighbours, "acme", volume)
        assert len(neighbours.snapshots_of(volume)) == 1


def test_who_comes_after_the_window_seals_what_is_there_and_has_a_snapshot_made(
    neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbours.at_once(chain_before(VERIFY))
    monkeypatch.setitem(PLANS, "standard", {**PLANS["standard"], "snapshot_window_minutes": 0})
    neighbours.add("globex")
    neighbours.at_once(chain_before(VERIFY), tenants=["globex"])
    for volume in neighbours.volumes:
        earlier, later = only_share(neighbours, "acme", volume), only_share(neighbours, "globex", volume)
        assert (earlier.state, later.state) == (ShareState.SEALED, ShareState.STARTED)
        assert (earlier.id[-4:], later.id[-4:]) == ("0001", "0002")


def test_a_step_that_has_joined_does_not_fail_for_what_it_cannot_tidy_up(
    neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, web = neighbours.world, neighbours.volumes[0]
    neighbours.at_once(chain_before(VERIFY))
    earlier = only_share(neighbours, "acme", web)
    monkeypatch.setitem(PLANS, "standard", {**PLANS["standard"], "snapshot_window_minutes": 0})
    neighbours.add("globex")
    neighbours.at_once([OPEN], tenants=["globex"])
    left = SnapshotUser(tenant="globex", point=world.manifest(daily("globex")).id, token=0)
    world.runner.run(world.vault.change_shared_snapshot(web, earlier.id, lambda it: it.joined([left])))
    with world.vault_away("s3:PutObject", match=f"{web}/{earlier.id}.json"):
        neighbours.at_once([WEB], tenants=["globex"])
    (old, new) = [one for one in world.shared_snapshots(daily("globex")) if one.volume == web]
    assert (old.id, old.state) == (earlier.id, ShareState.STARTED)
    assert world.manifest(daily("globex")).parts.claims == {new.name}


def test_a_backup_by_hand_joins_nobody_and_daily_ones_join_it(neighbours: Neighbours) -> None:
    world = neighbours.world
    neighbours.add("globex")
    neighbours.at_once(chain_before(VERIFY), tenants=["globex"])
    manual = world.back_up(by_hand("acme"))
    (other,) = {one.id for one in world.shared_snapshots(daily("globex"))}
    assert {one.id for one in world.shared_snapshots(by_hand("acme"))} == {"".join((other[:-1], "2"))}
    neighbours.at_once(tenants=["acme"])
    assert world.manifest(daily("acme")).parts.snapshot_ids == manual.parts.snapshot_ids


def test_backups_by_hand_of_one_volume_at_once_name_their_claims_without_a_conflict(neighbours: Neighbours) -> None:
    neighbours.add("globex", "initech", "umbrella")
    neighbours.at_once([OPEN], request=by_hand)
    with counting(neighbours.world) as requests:
        neighbours.at_once([WEB], request=by_hand)
    written = [one for one in requests.of("s3") if one.is_of_shared_snapshots and one.action == "PutObject"]
    assert len(written) == 2 * len(neighbours.tenants), requests.table()  # the claim, and AWS's answer
    assert len(neighbours.snapshots_of(neighbours.volumes[0])) == len(neighbours.tenants)


@pytest.mark.parametrize(
    "silence",
    [
        {"action": "ssm:SendCommand", "code": "InvalidInstanceId", "status": 400},
        {"action": "ec2:DescribeVolumes", "code": "UnauthorizedOperation", "status": 403},
    ],
    ids=lambda rule: rule["action"],
)
def test_tenants_of_a_host_that_says_nothing_share_one_snapshot_and_ask_it_once(
    neighbours: Neighbours, silence: dict[str, Any]
) -> None:
    neighbours.add("globex", "initech", "umbrella", "hooli")
    early, late = neighbours.tenants[:4], neighbours.tenants[4:]
    neighbours.world.cloud.add_fault(**silence, times=None)
    neighbours.at_once(tenants=early)
    asked = len(neighbours.world.cloud.fault_hits())
    neighbours.at_once(tenants=late)
    assert asked == len(neighbours.world.cloud.fault_hits()) == len(neighbours.volumes)
    for volume in neighbours.volumes:
        assert len(neighbours.snapshots_of(volume)) == 1
        assert {user.tenant for user in only_share(neighbours, "acme", volume).users} == set(neighbours.tenants)
    for tenant in neighbours.tenants:
        manifest = assert_one_of_each(neighbours.world, daily(tenant))
        assert manifest.verification
        assert manifest.verification.level == 1
        assert set(not_looked_at(manifest)) == {PartName.WEB_SNAPSHOT, PartName.DB_SNAPSHOT}


def test_tenants_of_a_server_that_says_nothing_share_one_snapshot_of_its_volume(neighbours: Neighbours) -> None:
    neighbours.add("globex", "initech")
    volume, world = neighbours.world.database_host.volume, neighbours.world
    rule = {"number": 18401, "severity": 14, "message": "Server is in script upgrade mode."}
    with world.sql.failing("sql:Login", times=None, **rule) as faults:
        neighbours.at_once(chain_before(BACKUP), tenants=["acme", "globex"])
        asked = len(faults.report()["hits"])
        neighbours.at_once(chain_before(BACKUP), tenants=["initech"])
        assert len(faults.report()["hits"]) == asked
    assert len(neighbours.snapshots_of(volume)) == 1
    assert {user.tenant for user in only_share(neighbours, "acme", volume).users} == set(neighbours.tenants)
    for tenant in neighbours.tenants:
        assert not_looked_at(world.manifest(daily(tenant))).keys() == {PartName.DB_SNAPSHOT}


def test_a_tenant_that_was_registered_after_the_claim_looks_itself_and_has_one_made(neighbours: Neighbours) -> None:
    neighbours.at_once(chain_before(VERIFY))
    neighbours.add("globex")
    neighbours.at_once(chain_before(VERIFY), tenants=["globex"])
    for volume in neighbours.volumes:
        assert len(neighbours.snapshots_of(volume)) == 2
        assert only_share(neighbours, "globex", volume).id.endswith("-0002")
        assert only_share(neighbours, "acme", volume).state is ShareState.STARTED


def test_a_tenant_that_is_not_as_the_register_says_fails_alone(neighbours: Neighbours) -> None:
    neighbours.add("globex", "initech")
    world = neighbours.world
    (world.site("globex") / "index.html").unlink()
    neighbours.at_once([OPEN])
    neighbours.at_once([WEB], tenants=["acme", "initech"])
    with pytest.raises(PartError, match=r"of tenant globex was not snapshotted: the folder .* is empty"):
        neighbours.at_once([WEB], tenants=["globex"])
    shared = only_share(neighbours, "acme", neighbours.web.volume)
    assert {user.tenant for user in shared.users} == {"acme", "initech"}
    assert {look.tenant for look in shared.looks.values()} == {"acme", "initech"}


def test_a_snapshot_that_ends_in_error_is_joined_by_nobody_any_more_and_goes(neighbours: Neighbours) -> None:
    world = neighbours.world
    neighbours.add("globex")
    neighbours.at_once(chain_before(VERIFY))
    bad = only_share(neighbours, "acme", neighbours.web.volume)
    assert bad.snapshot_id
    world.cloud.set_snapshot_state(bad.snapshot_id, "error")
    for tenant, state in (("acme", ShareState.SEALED), ("globex", ShareState.DELETING)):
        with pytest.raises(PartError, match=f"web_snapshot of tenant {tenant} is error"):
            neighbours.at_once([VERIFY], tenants=[tenant])
        with pytest.raises(PartError):
            neighbours.at_once([CLOSE], tenants=[tenant])
        found = world.runner.run(world.vault.shared_snapshots.require(bad.volume, bad.id)).value
        assert (found.state, "error" in found.sealed_because) == (state, True)
    neighbours.at_once(run_id="run-2")
    for tenant in neighbours.tenants:
        parts = assert_one_of_each(world, daily(tenant)).parts
        assert parts.web_snapshot
        assert (parts.web_snapshot.claim, parts.web_snapshot.snapshot_id == bad.snapshot_id) == (
            bad.id[:-1] + "2",
            False,
        )


def test_a_wrong_clock_of_the_machine_changes_nothing(neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
    neighbours.add("globex")
    neighbours.at_once(chain_before(VERIFY), tenants=["acme"])

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz).replace(year=2031)  # type: ignore[arg-type]

    for module in ("attempt", "volume_looks", "look"):
        monkeypatch.setattr(f"perennial.backup.{module}.datetime", Ahead)
    neighbours.at_once(chain_before(DATABASE), tenants=["globex"])
    shared = only_share(neighbours, "globex", neighbours.web.volume)
    assert {user.tenant for user in shared.users} == {"acme", "globex"}
    assert neighbours.world.manifest(daily("globex")).state is State.RUNNING


def test_what_a_triggerer_remembers_of_a_volume_is_nothing_that_collections_of_garbage_look_at(
    neighbours: Neighbours,
) -> None:
    def in_sight() -> set[int]:
        gc.collect()
        return {id(one) for one in gc.get_objects() if isinstance(one, SharedSnapshot | TenantLook | SnapshotUser)}

    neighbours.add("globex")
    before = in_sight()  # of other tests
    neighbours.at_once([OPEN, WEB])
    assert in_sight() <= before
    neighbours.at_once([DATABASE])
    assert in_sight() <= before
