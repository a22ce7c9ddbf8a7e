"""Users of shared snapshots: who joins again, who leaves, for how long it is locked, and what a restore makes of it."""

from __future__ import annotations

import pytest

from include.rules.errors import PartError, UnavailableError
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from tests.support.holdings import assert_one_of_each
from tests.support.neighbours import Neighbours, daily
from tests.support.steps import BACKUP, CLOSE, OPEN, VERIFY, WEB, chain_before
from tests.support.world import PLANS

pytestmark = pytest.mark.lab


def web_share(neighbours: Neighbours, tenant: str = "acme") -> SharedSnapshot:
    (shared,) = [one for one in neighbours.world.shared_snapshots(daily(tenant)) if one.volume == neighbours.web.volume]
    return shared


def token(neighbours: Neighbours, tenant: str = "acme") -> int:
    user = web_share(neighbours, tenant).user(tenant, f"{tenant}-daily-20261123")
    assert user
    return user.token


def test_a_run_that_begins_a_step_again_joins_again_under_its_new_token(neighbours: Neighbours) -> None:
    neighbours.at_once([OPEN, WEB])
    before = token(neighbours)
    neighbours.at_once([WEB])
    assert token(neighbours) > before
    assert len(web_share(neighbours).users) == 1


def test_a_part_from_whose_list_the_point_was_taken_is_replaced(neighbours: Neighbours) -> None:
    world = neighbours.world
    neighbours.at_once([OPEN, WEB])
    shared = web_share(neighbours)
    leaving = world.vault.change_shared_snapshot(
        shared.volume, shared.id, lambda document: document.left("acme", "acme-daily-20261123", 99)
    )
    assert world.runner.run(leaving).value.state is ShareState.DELETING
    neighbours.at_once([WEB])
    part = world.manifest(daily("acme")).parts.web_snapshot
    assert part
    assert (part.claim, part.claim == web_share(neighbours).id) == ("".join((shared.id[:-1], "2")), True)


@pytest.mark.parametrize("harm", ["in error", "gone", "unreadable"])
def test_a_part_whose_shared_snapshot_is_in_error_gone_or_unreadable_is_replaced(
    neighbours: Neighbours, harm: str
) -> None:
    world, vault = neighbours.world, neighbours.world.vault
    neighbours.at_once([OPEN, WEB])
    shared, key = web_share(neighbours), vault.shared_snapshots.key(neighbours.web.volume, web_share(neighbours).id)
    if harm == "in error":
        sealing = vault.change_shared_snapshot(shared.volume, shared.id, lambda one: one.sealed("it is error"))
        world.runner.run(sealing)
    elif harm == "gone":
        world.forget_shared_snapshots()
    else:
        world.write_file(key, b"{")
    neighbours.at_once([WEB])
    part = world.manifest(daily("acme")).parts.web_snapshot
    assert part
    assert part.snapshot_id != shared.snapshot_id
    world.write_file(key, shared.model_dump_json().encode())
    neighbours.at_once()
    assert world.manifest(daily("acme")).parts.web_snapshot == part


def test_a_part_is_kept_while_the_vault_does_not_say_what_has_become_of_it(neighbours: Neighbours) -> None:
    world = neighbours.world
    neighbours.at_once([OPEN, WEB])
    before = world.manifest(daily("acme")).parts
    for action in ("s3:GetObject", "s3:PutObject"):
        with world.vault_away(action, "shared-snapshots"), pytest.raises(UnavailableError):
            neighbours.at_once([WEB])
        assert world.manifest(daily("acme")).parts == before
    neighbours.at_once()
    assert world.manifest(daily("acme")).parts.web_snapshot == before.web_snapshot


def test_a_new_attempt_on_another_volume_leaves_the_list_of_the_one_before(neighbours: Neighbours) -> None:
    world = neighbours.world
    neighbours.at_once(chain_before(BACKUP))
    old = web_share(neighbours)
    with pytest.raises(PartError):
        neighbours.at_once([CLOSE])
    elsewhere = world.hosts.lend("/srv/elsewhere")
    site = elsewhere.folder / "acme" / "site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("moved")
    web = {"instance": elsewhere.instance, "volume": elsewhere.volume}
    world.entries["acme"]["web"] |= {**web, "mount": str(elsewhere.folder), "path": str(site)}
    world.write_register()
    neighbours.at_once(run_id="run-2")
    assert_one_of_each(world, daily("acme"))
    left = world.runner.run(world.vault.shared_snapshots.require(old.volume, old.id)).value
    assert (left.state, left.users) == (ShareState.DELETING, ())


class TestLocks:
    """Plans whose points are locked where they are stored."""

    @pytest.fixture
    def vault_bucket(self, versioned_bucket: str) -> str:
        return versioned_bucket

    def test_a_snapshot_is_locked_for_the_longest_time_that_one_of_its_users_wants(
        self, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world, plan = neighbours.world, PLANS["standard"]
        monkeypatch.setitem(PLANS, "standard", {**plan, "retention": {"locked_days": 30}})
        monkeypatch.setitem(PLANS, "brief", {**plan, "retention": {"locked_days": 2}})
        neighbours.add("globex")
        world.entries["globex"]["plan"] = "brief"
        world.write_register()
        neighbours.at_once(chain_before(CLOSE))
        for tenants in (["acme"], ["globex"]):
            neighbours.at_once([CLOSE], tenants=tenants)
        shared = web_share(neighbours)
        assert len({user.locked_until for user in shared.users}) == 2
        locks = world.cloud.client("ec2").describe_locked_snapshots(SnapshotIds=[shared.snapshot_id or ""])
        assert [one["LockExpiresOn"] for one in locks["Snapshots"]] == [shared.locked_until]
        assert shared.locked_until == world.manifest(daily("acme")).locked_until


@pytest.mark.timeout(400)
def test_a_restore_takes_its_own_snapshots_after_the_site_is_offline_and_leaves_the_neighbours_alone(
    neighbours: Neighbours,
) -> None:
    world = neighbours.world
    neighbours.add("globex")
    neighbours.at_once(tenants=["acme"])
    for tenant in neighbours.tenants:
        (world.site(tenant) / "index.html").write_text("today's")
    world.restore()
    assert (world.site("acme") / "index.html").read_text() == "welcome to acme"
    assert (world.site("globex") / "index.html").read_text() == "today's"
    record = world.restore_record()
    assert record
    assert record.safety_point
    safety = world.runner.run(world.vault.points.require("acme", record.safety_point)).value
    own = {part.claim for part in (safety.parts.web_snapshot, safety.parts.db_snapshot) if part}
    assert own.isdisjoint({one.id for one in world.shared_snapshots(daily("acme"))})
    neighbours.at_once([OPEN, WEB], tenants=["globex"])
    part = world.manifest(daily("globex")).parts.get(PartName.WEB_SNAPSHOT)
    assert part == safety.parts.web_snapshot


def test_the_manifest_says_how_far_apart_its_parts_are(neighbours: Neighbours) -> None:
    neighbours.at_once(chain_before(CLOSE))
    manifest = neighbours.world.manifest(daily("acme"))
    assert manifest.verification
    seconds = manifest.parts.seconds_apart
    assert manifest.verification.seconds_apart == seconds
    assert seconds is not None
    assert 0 <= seconds < 300
    said = neighbours.world.run(CLOSE, daily("acme"), "run-1-acme")
    assert said["seconds_apart"] == seconds


def test_a_snapshot_that_is_sealed_stays_a_part_of_those_that_use_it(neighbours: Neighbours) -> None:
    neighbours.at_once(chain_before(VERIFY))
    shared = web_share(neighbours)
    world = neighbours.world
    world.runner.run(world.vault.change_shared_snapshot(shared.volume, shared.id, lambda one: one.sealed()))
    neighbours.at_once()
    assert web_share(neighbours).id == shared.id
    assert_one_of_each(world, daily("acme"))


def test_a_snapshot_of_one_owner_that_an_earlier_release_has_made_stays_a_part(neighbours: Neighbours) -> None:
    world = neighbours.world
    neighbours.at_once([OPEN, WEB])
    shared, part = web_share(neighbours), world.manifest(daily("acme")).parts.web_snapshot
    assert part
    own = part.model_copy(update={"claim": ""})
    world.change_manifest(daily("acme"), lambda manifest: manifest.with_snapshot(SnapshotRole.WEB, own))
    neighbours.at_once()
    assert world.manifest(daily("acme")).parts.web_snapshot == own
    assert web_share(neighbours) == shared
