"""Restores: what may be restored, and where its files go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.backups.errors import ConfigurationError, RefusedError
from include.backups.recovery_points import State
from include.backups.restores import RestoreRequest, check_platform, choose_point, free_device
from tests.unit.builders import NOW, running, tenant, verified

OLD = verified("acme|daily|2026-11-22", NOW - timedelta(days=1))
NEW = verified()
BROKEN = running("acme|daily|2026-11-24").with_failure("no disk").closed(NOW)
OTHERS = verified("globex|daily|2026-11-23")
ALL = [NEW, OLD, BROKEN, OTHERS]


def test_by_default_the_newest_verified_point_is_restored_whatever_the_order() -> None:
    assert choose_point(ALL, "acme", "") == NEW
    assert choose_point(reversed(ALL), "acme", "") == NEW


def test_a_named_point_is_restored() -> None:
    assert choose_point(ALL, "acme", OLD.id) == OLD


@pytest.mark.parametrize("state", [state for state in State if state is not State.VERIFIED])
def test_a_point_that_is_not_verified_is_refused_and_a_better_one_named(state: State) -> None:
    doubtful = OLD.model_copy(update={"state": state})
    with pytest.raises(RefusedError, match=rf"is {state}, not verified\..*newest verified one is {NEW.id}"):
        choose_point([doubtful, NEW], "acme", doubtful.id)


def test_a_point_of_another_tenant_is_not_there() -> None:
    with pytest.raises(RefusedError, match="Tenant acme has no recovery point 'globex-daily-20261123'"):
        choose_point(ALL, "acme", OTHERS.id)


def test_a_tenant_without_any_verified_point_is_told_so() -> None:
    with pytest.raises(RefusedError, match="Tenant acme has no verified recovery point"):
        choose_point([BROKEN, OTHERS], "acme", "")


def test_a_restore_in_place_needs_the_tenants_name_typed_again() -> None:
    with pytest.raises(
        ConfigurationError, match=r"'yes' does not repeat the tenant's name 'acme'.*nothing was restored"
    ):
        RestoreRequest.parse(tenant="acme", recovery_point="", confirm="yes", moment="2026-11-23T10:00:00Z")


def test_a_restore_is_named_after_its_moment() -> None:
    form = RestoreRequest.parse(tenant="acme", recovery_point=" x ", confirm="acme", moment="2026-11-23 10:00:07+00:00")
    assert form.restore_id == "acme-restore-20261123T100007Z"
    assert form.recovery_point == "x"


def test_a_windows_host_is_refused_before_anything_is_touched() -> None:
    web = {**tenant().model_dump()["web"], "platform": "windows"}
    with pytest.raises(RefusedError, match=r"runs windows.*nothing was restored"):
        check_platform(tenant(web=web))


def test_a_device_name_in_use_is_not_given_again_under_either_spelling() -> None:
    assert free_device(["/dev/sda1", "/dev/xvdf", "/dev/sdg"]) == "/dev/sdh"


def test_a_host_without_a_free_device_name_is_refused() -> None:
    with pytest.raises(RefusedError, match="no free device name"):
        free_device(f"/dev/sd{letter}" for letter in "fghijklmnop")
