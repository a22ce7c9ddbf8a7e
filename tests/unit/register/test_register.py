"""The register: every entry is judged by itself, and the message names file, tenant and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from include.rules.errors import ConfigurationError
from include.rules.register.register import Register, parse_register
from include.rules.register.tenants import Platform
from tests.unit.builders import PLANS, tenant_entry


def parse(*entries: Any, plans: Any = PLANS) -> Register:
    return parse_register({"tenants": list(entries)}, plans, tenants_source="tenants.yaml", plans_source="plans.yaml")


def only_problem(register: Register) -> str:
    assert len(register.problems) == 1, register.problems
    return str(register.problems[0])


def test_good_entries_become_tenants() -> None:
    register = parse(tenant_entry("acme", 1), tenant_entry("globex", 2))
    assert set(register.tenants) == {"acme", "globex"}
    assert register.problems == ()
    assert register.tenant("acme").plan.rpo_hours == 26


def test_one_tenants_mistake_leaves_the_others_alone() -> None:
    register = parse(tenant_entry("acme", 1), tenant_entry("globex", 2, plan="gold"))
    assert set(register.tenants) == {"acme"}
    assert only_problem(register) == (
        "tenants.yaml: tenant globex: plan: there is no usable plan 'gold'; known are standard"
    )


def test_an_id_that_stands_twice_is_used_neither_time() -> None:
    register = parse(tenant_entry("acme", 1), tenant_entry("acme", 2), tenant_entry("globex", 3))
    assert set(register.tenants) == {"globex"}
    assert only_problem(register) == "tenants.yaml: tenant acme: the id stands 2 times; none of them is used"


@pytest.mark.parametrize("tenant_id", ["a/b", "..", "Acme", "acme_1", "-acme", "acme-", "", "a" * 41, "acme shop", "ä"])
def test_an_id_that_could_not_be_a_key_is_refused(tenant_id: str) -> None:
    register = parse(tenant_entry(tenant_id, 1))
    assert register.tenants == {}
    assert "id: a tenant id is 1 to 40 lower-case letters, digits and hyphens" in only_problem(register)


def test_a_folder_that_two_tenants_name_costs_both_their_place() -> None:
    web = tenant_entry("acme", 1)["web"]
    register = parse(tenant_entry("acme", 1), tenant_entry("globex", 1, web=web), tenant_entry("initech", 3))
    assert set(register.tenants) == {"initech"}
    assert [str(problem) for problem in register.problems] == [
        "tenants.yaml: tenant acme: folder /srv/acme/site on volume vol-00000001 is named by globex, too",
        "tenants.yaml: tenant globex: folder /srv/acme/site on volume vol-00000001 is named by acme, too",
    ]


def test_a_database_that_two_tenants_name_costs_both_their_place() -> None:
    shared = tenant_entry("acme", 1)["database"]
    register = parse(
        tenant_entry("acme", 1), tenant_entry("globex", 2, database={**shared, "name": shared["name"].upper()})
    )
    assert register.tenants == {}
    assert all(
        "database shop_acme on sql_server_lab is named by acme and globex" in p.message for p in register.problems
    )


def test_databases_of_different_tenants_may_share_a_volume() -> None:
    assert len(parse(tenant_entry("acme", 1), tenant_entry("globex", 2)).tenants) == 2


def test_an_entry_without_the_mount_of_its_database_volume_is_as_good_as_before() -> None:
    database = parse(tenant_entry("acme", 1)).tenant("acme").database
    assert (database.mount, database.platform) == (None, Platform.LINUX)


@pytest.mark.parametrize(("mount", "platform"), [("/var/opt/mssql", "linux"), ("D:\\", "windows")])
def test_a_database_volume_may_show_anywhere_on_its_host(mount: str, platform: str) -> None:
    entry = tenant_entry("acme", 1)
    database = {**entry["database"], "mount": mount, "platform": platform}
    assert parse({**entry, "database": database}).tenant("acme").database.mount == mount


@pytest.mark.parametrize("mount", ["var/opt/mssql", "/var/../opt", "", "/a\nb"])
def test_a_mount_of_a_database_volume_that_is_no_absolute_path_is_refused(mount: str) -> None:
    entry = tenant_entry("acme", 1)
    register = parse({**entry, "database": {**entry["database"], "mount": mount}})
    assert register.tenants == {}
    assert "database.mount" in register.problems[0].message


@pytest.mark.parametrize("name", ["a]b", "o'brien", "a; DROP DATABASE x", "名前", "a" * 128])
def test_a_strange_database_name_is_allowed_because_it_is_quoted(name: str) -> None:
    entry = tenant_entry("acme", 1)
    assert parse({**entry, "database": {**entry["database"], "name": name}}).tenant("acme").database.name == name


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x00b", "master", "MSDB", "a" * 129])
def test_what_is_no_database_of_a_tenant_is_refused(name: str) -> None:
    entry = tenant_entry("acme", 1)
    problem = only_problem(parse({**entry, "database": {**entry["database"], "name": name}}))
    assert problem.startswith("tenants.yaml: tenant acme: database.name: ")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("path", "/", "never the root of a disk"),
        ("path", "/etc", "nor a top-level folder"),
        ("path", "srv/acme", "a path is absolute"),
        ("path", "/srv/../etc", "holds neither '..'"),
        ("path", "/opt/acme", "is not at or below mount /srv/acme"),
        ("volume", "vol-xyz", "should match pattern"),
        ("zone", "somewhere", "should match pattern"),
        ("colour", "red", "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_field_of_the_web_host_is_named(field: str, value: str, message: str) -> None:
    entry = tenant_entry("acme", 1)
    problem = only_problem(parse({**entry, "web": {**entry["web"], field: value}}))
    assert problem.startswith("tenants.yaml: tenant acme: web")
    assert message in problem


def test_a_broken_plan_costs_only_its_own_tenants() -> None:
    plans = {"plans": {**PLANS["plans"], "gold": {"cadence": "weekly", "manual_backups_per_month": 1, "rpo_hours": 1}}}
    register = parse(tenant_entry("acme", 1), tenant_entry("globex", 2, plan="gold"), plans=plans)
    assert set(register.tenants) == {"acme"}
    assert {problem.entry for problem in register.problems} == {"plan gold", "tenant globex"}


@pytest.mark.parametrize(
    ("retention", "message"),
    [
        (
            {"daily": 0, "weekly": 0, "monthly": 0, "yearly": 0},
            (
                "retention: EMPTY_POLICY: daily, weekly, monthly and yearly are all 0, so that no daily recovery point "
                "would be kept; give at least one of them a number"
            ),
        ),
        ({"daily": -1}, "retention.daily: Input should be greater than or equal to 0"),
        ({"weekly": 521}, "retention.weekly: Input should be less than or equal to 520"),
        ({"grace_hours": 1}, "retention.grace_hours: Input should be greater than or equal to 24"),
        ({"dayly": 30}, "retention.dayly: Extra inputs are not permitted"),
        ({"yearly": "some"}, "retention.yearly"),
        (None, "retention: Input should be a valid dictionary or instance of RetentionPolicy"),
    ],
)
def test_a_retention_policy_that_cannot_be_meant_is_refused_by_name(retention: Any, message: str) -> None:
    plans = {"plans": {**PLANS["plans"], "gold": {**PLANS["plans"]["standard"], "retention": retention}}}
    assert f"plans.yaml: plan gold: {message}" in only_problem(parse(plans=plans))


def test_a_plan_that_names_no_retention_keeps_what_the_requirement_says() -> None:
    kept = parse(tenant_entry("acme", 1)).tenant("acme").plan.retention
    assert (kept.daily, kept.weekly, kept.monthly, kept.yearly, kept.manual) == (30, 12, 12, "all", 10)
    shipped = yaml.safe_load((Path(__file__).parents[3] / "include" / "config" / "plans.yaml").read_text())
    assert shipped["plans"]["standard"]["retention"] == kept.model_dump(), "the file spells the defaults out"


@pytest.mark.parametrize("entry", [None, "acme", 7, ["acme"], {}])
def test_an_entry_that_is_no_tenant_at_all_is_named_by_its_number(entry: Any) -> None:
    register = parse(tenant_entry("acme", 1), entry)
    assert set(register.tenants) == {"acme"}
    assert only_problem(register).startswith("tenants.yaml: tenant number 2: ")


@pytest.mark.parametrize("document", [None, [], "text", {}, {"tenants": {}}, {"tenants": None}])
def test_a_file_without_tenants_is_an_error_and_not_an_empty_fleet(document: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"tenants\.yaml has no list named 'tenants'\. .* nothing was backed up"
    ):
        parse_register(document, PLANS, tenants_source="tenants.yaml", plans_source="plans.yaml")


def test_asking_for_an_unknown_tenant_says_who_is_known() -> None:
    with pytest.raises(ConfigurationError, match=r"There is no tenant 'acmee' in the register\..*known=acme"):
        parse(tenant_entry("acme", 1)).tenant("acmee")


def test_asking_for_a_refused_tenant_says_why_it_was_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Tenant acme cannot be used: .*no usable plan 'gold'"):
        parse(tenant_entry("acme", 1, plan="gold")).tenant("acme")


@pytest.mark.parametrize("key", ["aws:x", "perennial:tenant", "", "k" * 128])
def test_billing_tags_cannot_have_names_that_we_need_or_amazon_refuses(key: str) -> None:
    assert "tags" in only_problem(parse(tenant_entry("acme", 1, tags={key: "x"})))


def test_a_windows_volume_may_be_a_drive_of_its_own() -> None:
    entry = tenant_entry("acme", 1)
    web = {**entry["web"], "mount": "D:\\", "path": "D:\\sites\\acme", "platform": "windows"}
    assert parse({**entry, "web": web}).tenant("acme").web.path_on_volume == "sites/acme"
    assert "never the root of a disk" in only_problem(parse({**entry, "web": {**web, "path": "D:\\"}}))
