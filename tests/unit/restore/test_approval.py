"""What an approval is good for: the plan that was shown, and in what another one differs from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.rules.errors import RefusedError
from include.rules.points.approvals import NOBODY, NOT_TOLD, seal_in, seal_of, sealed
from include.rules.register.tenants import Tenant
from include.rules.restore.approval import (
    MOST_KEPT,
    check_approved,
    check_same_parts,
    differences,
    fingerprint,
    replanned,
)
from include.rules.restore.plan import RestorePlan
from include.rules.restore.record import RestoreRecord
from include.rules.restore.request import DatabaseSource, RestoreScope
from tests.unit.builders import NOW, tenant, tenant_entry, verified

ASKED = ("the request asks for it",)


def planned(**changes: Any) -> RestoreRecord:
    fields = {
        "source": "acme",
        "target": tenant(),
        "recovery_point": "acme-daily-20261123",
        "what": RestoreScope.BOTH,
        "folder": "/srv/acme/site",
        "database": "shop_acme",
        "replaces_files": True,
        "approvals": ASKED,
        "parts": ("snap-1",),
    }
    plan = RestorePlan(**{**fields, **changes})
    return RestoreRecord(id="acme-restore-1", tenant="acme", plan=plan, owner="me", planned_at=NOW)


def seal(record: RestoreRecord) -> str:
    return seal_of(fingerprint(record.plan))


def on_another_host() -> Tenant:
    return tenant(web={**tenant_entry()["web"], "instance": "i-0fedcba9876543210"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recovery_point": "acme-daily-20261124"}, "recovery point: acme-daily-20261123, now acme-daily-20261124"),
        ({"folder": "/srv/acme/old"}, "folder: /srv/acme/site, now /srv/acme/old"),
        ({"database": "shop_acme_2"}, "database: shop_acme, now shop_acme_2"),
        ({"database_from": DatabaseSource.SNAPSHOT}, "database from: backup file, now snapshot"),
        ({"replaces_files": False}, "overwrites the tenant's files: yes, now no"),
        ({"replaces_database": True}, "overwrites the tenant's database: no, now yes"),
        ({"why_unsavable": "it is OFFLINE"}, "why no safety point can hold the database: nothing, now it is OFFLINE"),
        ({"paths": ("img", "css")}, "only these paths: nothing, now img, css"),
        ({"what": RestoreScope.FILES}, "what comes back: files and database, now files"),
        ({"approvals": ("another",)}, "has to be approved because: the request asks for it, now another"),
        ({"approvals": ()}, "has to be approved because: the request asks for it, now nothing"),
        ({"parts": ("snap-2",)}, "parts of the recovery point: snap-1, now snap-2"),
        ({"source": "globex"}, "tenant whose point it is: acme, now globex"),
        ({"target": on_another_host()}, "target web instance: i-"),
    ],
)
def test_everything_that_a_plan_does_counts_and_a_change_of_it_is_refused_by_name(
    change: dict[str, Any], said: str
) -> None:
    shown = planned()
    changed = replanned(planned(**change), shown)
    assert any(text.startswith(said) for text in differences(shown.plan, changed.plan))
    with pytest.raises(RefusedError, match="is not the one that was approved") as caught:
        check_approved(changed, seal(shown))
    assert said in caught.value.what
    assert "Start a new restore" in caught.value.todo


def test_the_plan_that_was_approved_is_carried_out_however_often_it_was_previewed() -> None:
    shown = planned()
    check_approved(replanned(planned(), shown), seal(shown))
    there_and_back = replanned(planned(), replanned(planned(folder="/elsewhere"), shown))
    check_approved(there_and_back, seal(shown))


def test_what_the_tenant_bought_is_no_deed_of_a_plan() -> None:
    richer = tenant().model_copy(update={"plan": tenant().plan.model_copy(update={"manual_backups_per_month": 99})})
    assert seal(planned(target=richer)) == seal(planned())


@pytest.mark.parametrize(
    ("first", "then", "approved_first"),
    [
        (ASKED, (), True),  # what was approved is not what would be carried out, though nobody would have to be asked
        ((), ASKED, False),  # nobody was asked, and somebody would have to be
    ],
)
def test_a_need_for_approval_that_comes_or_goes_is_refused(
    first: tuple[str, ...], then: tuple[str, ...], approved_first: bool
) -> None:
    shown = planned(approvals=first)
    with pytest.raises(RefusedError, match="nobody was asked" if then else "not the one that was approved"):
        check_approved(replanned(planned(approvals=then), shown), seal(shown) if approved_first else NOBODY)


@pytest.mark.parametrize("record", [planned(approvals=()), replanned(planned(approvals=()), planned(folder="/x"))])
def test_what_nobody_has_to_approve_needs_no_answer(record: RestoreRecord) -> None:
    check_approved(record, NOBODY)


def test_a_task_of_an_earlier_version_knows_of_no_seal_and_goes_on() -> None:
    check_approved(planned(), NOT_TOLD)
    assert seal_in("### Restore of acme-daily-20261123") == NOT_TOLD


def test_an_approval_of_a_plan_that_nobody_remembers_is_refused() -> None:
    with pytest.raises(RefusedError, match="nobody knows any more what that was"):
        check_approved(planned(), "0123456789abcdef")


def test_a_record_remembers_the_last_plans_only() -> None:
    record = planned()
    for number in range(MOST_KEPT + 3):
        record = replanned(planned(folder=f"/srv/{number}"), record)
    assert len(record.earlier_plans) == MOST_KEPT


def test_a_preview_names_the_seal_of_its_plan_last() -> None:
    record = planned()
    question = sealed("Plan `aaaaaaaaaaaaaaaa` was another one", fingerprint(record.plan))
    assert seal_in(question) == seal(record)
    assert sealed("nothing to do", "") == "nothing to do"


def test_a_field_that_a_later_version_adds_changes_no_seal() -> None:
    class Later(RestorePlan):
        added: str = ""

    plan = planned().plan
    assert fingerprint(Later(**dict(plan))) == fingerprint(plan)


@pytest.mark.parametrize("made_anew", [lambda m: m.without_part("bak"), lambda m: m])
def test_a_point_that_was_made_anew_under_its_id_is_not_the_one_of_the_plan(made_anew: Callable[..., Any]) -> None:
    manifest = verified()
    plan = planned(parts=manifest.parts.identities).plan
    check_same_parts(plan, manifest)
    check_same_parts(planned(parts=()).plan, made_anew(manifest))
    if made_anew(manifest).parts != manifest.parts:
        with pytest.raises(RefusedError, match="was made anew since this restore was planned"):
            check_same_parts(plan, made_anew(manifest))
