"""Airflow is lost, and the register with it: the vault alone lists everything and brings it back."""

from __future__ import annotations

import pytest

from include.rules.errors import ConfigurationError
from perennial.restore.listing import ListRecoveryPointsTrigger
from tests.support.restores import POINT, assert_all_is_back, backed_up, state, wreck
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
