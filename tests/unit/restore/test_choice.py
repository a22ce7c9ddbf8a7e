"""Which recovery point a restore takes, and into whose place it goes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from include.rules.errors import ConfigurationError, RefusedError
from include.rules.points.parts import PartName
from include.rules.points.transitions import State
from include.rules.register.register import Register, parse_register
from include.rules.restore.choice import check_own_place, check_scope, choose_point, note_passed_over, target_of
from include.rules.restore.plan import RestorePlan
from include.rules.restore.request import RestoreRequest, RestoreScope
from include.rules.retention.expiry import deletion_begun, marked
from tests.unit.builders import NOW, PLANS, running, tenant, tenant_entry, verified

OLD = verified("acme|daily|2026-11-22", NOW - timedelta(days=1))
NEW = verified()
SAFETY = verified("acme|safety|2026-11-23T12:00:00Z", NOW + timedelta(hours=3))
BROKEN = running("acme|daily|2026-11-24").with_failure("no disk").closed(NOW)
OTHERS = verified("globex|daily|2026-11-23")
ALL = [NEW, OLD, BROKEN, OTHERS, SAFETY]


def request(**form: Any) -> RestoreRequest:
    return RestoreRequest.parse(json.dumps({"tenant": "acme", "confirm": "acme", **form}), NOW.isoformat())


def register(*entries: dict[str, Any]) -> Register:
    return parse_register({"tenants": list(entries)}, PLANS, tenants_source="t", plans_source="p")


def test_by_default_the_newest_verified_point_is_restored_whatever_the_order() -> None:
    assert choose_point(ALL, "acme", None) == NEW
    assert choose_point(reversed(ALL), "acme", None) == NEW


def test_a_safety_point_is_restored_only_when_it_is_named() -> None:
    assert choose_point(ALL, "acme", SAFETY.id) == SAFETY
    with pytest.raises(RefusedError, match=rf"no verified recovery point.*Name its safety point {SAFETY.id}"):
        choose_point([SAFETY], "acme", None)


def test_a_named_point_is_restored() -> None:
    assert choose_point(ALL, "acme", OLD.id) == OLD


@pytest.mark.parametrize("state", [state for state in State if state is not State.VERIFIED])
def test_a_point_that_is_not_verified_is_refused_and_the_nearest_better_one_named(state: State) -> None:
    older = verified("acme|daily|2026-11-20", NOW - timedelta(days=3))
    doubtful = verified("acme|daily|2026-11-21", NOW - timedelta(days=2, hours=1)).model_copy(update={"state": state})
    with pytest.raises(RefusedError, match=rf"is {state}, not verified.*nearest verified one is {older.id}") as caught:
        choose_point([NEW, doubtful, older], "acme", doubtful.id)
    taken_away = state in (State.EXPIRING, State.EXPIRED)
    assert ("Retention is taking it away" in str(caught.value)) is taken_away


def test_why_a_point_failed_is_said() -> None:
    with pytest.raises(RefusedError, match=r"is failed, not verified \(no disk\)"):
        choose_point(ALL, "acme", BROKEN.id)


def test_a_point_of_another_tenant_is_not_there() -> None:
    with pytest.raises(RefusedError, match="Tenant acme has no recovery point 'globex-daily-20261123'"):
        choose_point(ALL, "acme", OTHERS.id)


def test_a_tenant_without_any_verified_point_is_told_so() -> None:
    with pytest.raises(RefusedError, match="Tenant acme has no verified recovery point"):
        choose_point([BROKEN, OTHERS], "acme", None)


def test_the_place_is_the_one_that_the_register_names_today() -> None:
    moved = tenant_entry("acme", number=7)
    assert target_of(request(), register(moved), NEW).web.instance == "i-00000007"


@pytest.mark.parametrize("known", [None, register(tenant_entry("globex", 2))])
def test_where_the_register_is_lost_the_place_is_the_one_in_the_manifest(known: Register | None) -> None:
    assert target_of(request(), known, NEW) == NEW.source


def test_a_tenant_whose_entry_is_broken_is_not_restored_to_where_it_was() -> None:
    broken = register({**tenant_entry("acme"), "plan": "none"})
    with pytest.raises(ConfigurationError, match="Tenant acme cannot be used"):
        target_of(request(), broken, NEW)


def test_another_tenants_place_has_to_be_in_the_register() -> None:
    elsewhere = request(into_tenant="globex", confirm="globex")
    with pytest.raises(ConfigurationError, match="There is no register"):
        target_of(elsewhere, None, NEW)
    with pytest.raises(ConfigurationError, match="There is no tenant 'globex'"):
        target_of(elsewhere, register(tenant_entry("acme")), NEW)
    assert target_of(elsewhere, register(tenant_entry("globex", 2)), NEW).id == tenant("globex").id


HALF = verified("acme|daily|2026-11-25", NOW + timedelta(days=2)).model_copy(
    update={"half_restored": "acme-restore-20261125T010000Z"}
)


def test_a_backup_of_a_half_restored_tenant_is_passed_over_and_the_preview_says_so() -> None:
    assert choose_point([*ALL, HALF], "acme", None) == NEW
    assert choose_point([*ALL, HALF], "acme", HALF.id) == HALF
    assert (
        f"{HALF.half_restored} had left the tenant half restored when they were taken: {HALF.id}"
        in note_passed_over([*ALL, HALF], NEW)
    )
    assert "HALF RESTORED" in note_passed_over([*ALL, HALF], HALF)
    assert note_passed_over(ALL, NEW) == ""
    with pytest.raises(RefusedError, match=f"Name {HALF.id}, taken while restore"):
        choose_point([HALF], "acme", None)


def test_a_half_that_a_safety_point_does_without_is_refused_with_the_half_that_it_holds() -> None:
    reason = "the restore does not touch the database"
    files_only = SAFETY.model_copy(update={"left_out": {PartName.DB_SNAPSHOT: reason, PartName.BAK: reason}})
    with pytest.raises(RefusedError, match=r"holds the files only: the restore does not touch.*Set what to 'files'"):
        check_scope(request(), files_only)
    check_scope(request(what="files"), files_only)
    check_scope(request(), SAFETY.model_copy(update={"left_out": {PartName.BAK: "database x is OFFLINE"}}))
    with pytest.raises(RefusedError, match="Set what to 'database'"):
        check_scope(request(), SAFETY.model_copy(update={"left_out": {PartName.WEB_SNAPSHOT: "no files"}}))


def test_a_place_that_the_register_gives_to_another_tenant_is_refused() -> None:
    def plan(**changes: Any) -> RestorePlan:
        place = {"folder": "/srv/acme/site", "database": "shop_acme", "replaces_files": True, "replaces_database": True}
        return RestorePlan(
            source="acme", recovery_point=NEW.id, target=tenant(), what=RestoreScope.BOTH, **{**place, **changes}
        )

    beside = {"folder": "/srv/old/site", "database": "old", "replaces_files": False, "replaces_database": False}
    renamed = tenant_entry("acme2")
    for field in ("web", "database"):
        entry = {**tenant_entry("acme2", 2), field: tenant_entry("acme")[field]}
        with pytest.raises(RefusedError, match=r"belongs to tenant acme2 today.*set into_tenant to acme2"):
            check_own_place(plan(), register(entry))
        check_own_place(plan(**beside), register(entry))
    for folder in ("/srv/old", "/srv/old/site/deeper"):
        entry = {**renamed, "web": {**renamed["web"], "mount": "/srv/old", "path": folder + "/site"}}
        below = {**beside, "folder": folder + "/site/below"}
        with pytest.raises(RefusedError, match="belongs to tenant acme2 today"):
            check_own_place(plan(**below), register(entry))
    check_own_place(plan(), register(tenant_entry("acme"), tenant_entry("globex", 2)))
    check_own_place(plan(), None)


def test_a_neighbour_on_the_same_web_volume_keeps_nobody_from_restoring_into_his_own_folder() -> None:
    plan = RestorePlan(
        source="acme", recovery_point=NEW.id, target=tenant(), what=RestoreScope.FILES, folder="/srv/acme/site",
        replaces_files=True,
    )  # fmt: skip
    web = {**tenant_entry("acme")["web"], "path": "/srv/acme/other"}
    check_own_place(plan, register(tenant_entry("globex", 2, web=web)))
    elsewhere = {**web, "instance": "i-0000000b", "mount": "/mnt/disk", "path": "/mnt/disk/site/images"}
    with pytest.raises(RefusedError, match="belongs to tenant globex today"):
        check_own_place(plan, register(tenant_entry("globex", 2, web=elsewhere)))


def test_an_expiring_point_that_a_hold_brings_back_is_refused_with_the_run_to_start() -> None:
    expiring = marked(OLD, NOW)
    with pytest.raises(RefusedError, match=rf"`hold_recovery_point` takes it back.* The nearest .* is {NEW.id}"):
        choose_point([NEW, expiring], "acme", OLD.id)
    for beyond_recall in (deletion_begun(expiring, NOW), marked(BROKEN, NOW)):
        with pytest.raises(RefusedError) as caught:
            choose_point([NEW, beyond_recall], "acme", beyond_recall.id)
        assert "hold_recovery_point" not in str(caught.value)
