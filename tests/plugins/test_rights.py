"""The rights that Perennial asks for in docs/iam-policy.json are enough, and enforced while this is seen."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest

from include.rules.errors import PartError
from include.rules.points.transitions import State
from lab.cloud.permissions import LIMITED_USER, POLICY_FILE
from lab.testing.cloud import LabCloud
from perennial.hooks.aws.ebs import Ebs
from tests.support.retention import DAY, NOW, Stock
from tests.support.steps import OPEN, TODAY, WEB
from tests.support.vaults import AWS_CONNECTION
from tests.support.world import World

pytestmark = pytest.mark.lab

VARIABLE = f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}"


@pytest.fixture
def limited(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, with Perennial signed in as the user whose policy is docs/iam-policy.json."""
    sign_in(world.cloud, monkeypatch)
    return world


def sign_in(cloud: LabCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, connection = cloud.settings, json.loads(os.environ[VARIABLE])
    connection |= {"login": keys.limited_access_key, "password": keys.limited_secret_key}
    monkeypatch.setenv(VARIABLE, json.dumps(connection))


def test_retention_and_locks_need_no_more_than_the_policy(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(stock.cloud, monkeypatch)
    stock.register("acme", daily=3, weekly=0, monthly=0, yearly=0)
    young, *_ = stock.add_daily(NOW, 3)
    old = stock.add_expiring(NOW - 60 * DAY, NOW - 2 * DAY)
    assert stock.retain().not_done() == []
    assert stock.state(old) == "gone"
    assert young.parts.web_snapshot
    snapshot = young.parts.web_snapshot.snapshot_id
    stock.run(Ebs.of(stock.vault.settings).lock_snapshot(snapshot, datetime.now(UTC) + 2 * DAY))
    assert stock.ec2.describe_locked_snapshots(SnapshotIds=[snapshot])["Snapshots"]


def test_a_backup_and_a_restore_need_no_more_than_the_policy(limited: World) -> None:
    before = limited.rows("acme")
    assert limited.back_up(TODAY).state is State.VERIFIED
    (limited.site("acme") / "index.html").write_text("defaced")
    database = limited.entries["acme"]["database"]["name"]
    limited.sql.run("DROP TABLE dbo.orders", database=database)
    limited.restore()
    assert (limited.site("acme") / "index.html").read_text() == "welcome to acme"
    assert limited.rows("acme") == before


def test_without_the_right_to_snapshot_the_step_says_which_right_is_missing(limited: World) -> None:
    iam, user = limited.cloud.client("iam"), LIMITED_USER
    policy = json.loads(POLICY_FILE.read_text())
    policy["Statement"].append({"Effect": "Deny", "Action": "ec2:CreateSnapshot", "Resource": "*"})
    iam.put_user_policy(UserName=user, PolicyName="perennial", PolicyDocument=json.dumps(policy))
    try:
        limited.run(OPEN, TODAY)
        with pytest.raises(PartError, match=r"UnauthorizedOperation.*not authorized to perform: ec2:CreateSnapshot"):
            limited.run(WEB, TODAY)
    finally:
        iam.put_user_policy(UserName=user, PolicyName="perennial", PolicyDocument=POLICY_FILE.read_text())
