"""Airflow is lost, and the register with it: the vault alone lists everything and brings it back."""

from __future__ import annotations

import pytest

from include.rules.errors import ConfigurationError, PartError
from perennial.restore.listing import ListRecoveryPointsTrigger
from tests.support.restores import POINT, assert_all_is_back, backed_up, state, wreck
from tests.support.retention import DAY, OLD, Stock
from tests.support.triggers import trigger_of
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab


def listed(world: World, tenant: str = "") -> dict[str, list[str]]:
    trigger = trigger_of(ListRecoveryPointsTrigger, tenant=tenant)
    points_of: dict[str, list[str]] = world.runner.run(trigger.work_within_deadline())["recovery_points"]
    return points_of


def test_a_vault_lists_and_restores_everything_without_a_register(
    backed_up: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(backed_up)
    wreck(backed_up)
    for name in ("tenants.yaml", "plans.yaml"):
        (backed_up.config / name).unlink()
    assert listed(backed_up) == {"acme": [f"{POINT} (verified)"]}
    assert f"{POINT}  " in capsys.readouterr().out
    backed_up.restore()
    assert_all_is_back(backed_up, before)


def test_a_register_that_cannot_be_read_is_not_taken_for_a_lost_one(lent_world: World) -> None:
    (lent_world.config / "tenants.yaml").write_text("tenants: [")
    with pytest.raises(ConfigurationError, match="is no YAML"):
        lent_world.restore()


def test_one_tenant_is_listed_alone_and_nonsense_refused(backed_up: World) -> None:
    backed_up.add_tenant("globex")
    backed_up.back_up("globex|daily|2026-11-23")
    assert set(listed(backed_up)) == {"acme", "globex"}
    assert set(listed(backed_up, "globex")) == {"globex"}
    assert listed(backed_up, "nobody") == {"nobody": []}
    with pytest.raises(ConfigurationError, match="not a tenant id"):
        listed(backed_up, "../x")


def test_points_whose_manifests_cannot_be_read_are_named_and_a_list_of_none_but_them_fails(stock: Stock) -> None:
    """Whoever looks for something to restore would take the tenant for one without a backup."""
    points, place = [stock.add(OLD), stock.add(OLD - DAY)], stock.vault.documents
    trigger = trigger_of(ListRecoveryPointsTrigger, tenant="acme")
    keys = [stock.vault.points.key("acme", point.id) for point in points]
    stock.s3.put_object(Bucket=place.bucket, Key=place.prefix + keys[0], Body=b"{")
    result = stock.run(trigger.work_within_deadline())
    assert result["recovery_points"] == {"acme": [f"{points[1].id} (verified)"]}
    (message,) = result["not_read"]
    assert f"{keys[0]} in the vault is no JSON" in message
    stock.s3.put_object(Bucket=place.bucket, Key=place.prefix + keys[1], Body=b"{")
    with pytest.raises(PartError, match=r"None of 2 manifests could be read.*is no JSON"):
        stock.run(trigger.work_within_deadline())
