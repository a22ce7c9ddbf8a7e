"""Whose the folders of a web volume are: a link of one tenant may lead to nothing that is another one's."""

import pytest

from include.rules.register.grounds import Grounds, grounds_by_volume
from include.rules.register.register import parse_register
from include.rules.register.tenants import Tenant
from tests.unit.builders import PLANS, tenant, tenant_entry
from tests.unit.register.test_shared_volumes import on_one_volume

VOLUME = "vol-0000000a"


def grounds(**paths: str) -> Grounds:
    return Grounds.of(VOLUME, [on_one_volume(name, path) for name, path in paths.items()])


ACME, ACME_SIDE_BY_SIDE = on_one_volume("acme", "/srv/acme/current"), on_one_volume("acme", "/srv/www/acme")
DEPLOYED = grounds(acme="/srv/acme/current", globex="/srv/globex/current", initech="/srv/sites/initech/www")
SIDE_BY_SIDE = grounds(acme="/srv/www/acme", globex="/srv/www/globex")


@pytest.mark.parametrize(
    ("folder", "neighbour"),
    [
        ("acme/current", ""),
        ("acme/releases/42", ""),
        ("acme", ""),
        ("elsewhere/acme/42", ""),
        ("globex/current", "globex"),
        ("globex/current/private", "globex"),
        ("globex/releases/6", "globex"),
        ("globex", "globex"),
        ("sites", "initech"),
        ("sites/initech/backup", "initech"),
        ("sites/acme", ""),
        ("glob", ""),
        (".", "globex"),
    ],
)
def test_what_is_holds_or_lies_in_the_ground_of_another_tenant_is_that_ones(folder: str, neighbour: str) -> None:
    assert DEPLOYED.neighbour(ACME, folder) == neighbour


def test_the_ground_of_tenants_side_by_side_is_their_own_folder_alone() -> None:
    assert SIDE_BY_SIDE.neighbour(ACME_SIDE_BY_SIDE, "www/globex/private") == "globex"
    assert SIDE_BY_SIDE.neighbour(ACME_SIDE_BY_SIDE, "www") == "globex"
    assert SIDE_BY_SIDE.neighbour(ACME_SIDE_BY_SIDE, "www/releases/acme-42") == ""
    assert SIDE_BY_SIDE.neighbour(ACME_SIDE_BY_SIDE, "releases/acme/42") == ""


def test_the_tenant_under_a_new_name_is_no_neighbour_of_itself() -> None:
    renamed = grounds(shop="/srv/acme/current", globex="/srv/globex/current")
    assert [renamed.neighbour(ACME, folder) for folder in ("acme/releases/42", "acme", "globex")] == ["", "", "globex"]


def test_whoever_is_alone_on_a_volume_may_have_all_of_it() -> None:
    alone = grounds(acme="/srv/acme/current")
    assert [alone.neighbour(ACME, folder) for folder in (".", "data/site", "acme")] == ["", "", ""]


def test_all_of_a_volume_with_another_ones_database_on_it_is_not_the_tenants() -> None:
    database = {**tenant_entry("globex")["database"], "volume": VOLUME}
    found = Grounds.of(VOLUME, [on_one_volume("acme", "/srv/acme/current"), tenant("globex", database=database)])
    assert (found.neighbour(ACME, "."), found.neighbour(ACME, "acme/releases/1")) == ("globex", "")


def test_a_link_on_the_way_that_all_share_leads_to_the_grounds_of_others_too() -> None:
    tenants = [on_one_volume(name, f"/srv/www/{name}/current") for name in ("acme", "globex")]
    acme, behind = tenants[0], Grounds.of(VOLUME, tenants, led=("www/acme", "data/www/acme"))
    for folder in ("data/www/globex/shared", "data/www", "www/globex/releases", "data"):
        assert behind.neighbour(acme, folder) == "globex"
    assert [behind.neighbour(acme, folder) for folder in ("data/www/acme/42", "data/other")] == ["", ""]
    for led in (("www/acme", "www/acme"), ("www/acme", "data/acme-7")):
        assert Grounds.of(VOLUME, tenants, led=led).neighbour(acme, "data/www/globex") == ""


def test_on_windows_names_in_another_case_are_the_same_ground() -> None:
    windows = {"platform": "windows", "mount": "D:\\"}
    acme, globex = (on_one_volume(name, f"D:\\Sites\\{name}\\www", **windows) for name in ("acme", "globex"))
    found = Grounds.of(VOLUME, [acme, globex])
    assert found.neighbour(acme, "sites/GLOBEX/private.") == "globex"
    assert DEPLOYED.neighbour(ACME, "GLOBEX/private") == ""


def test_a_register_knows_the_grounds_of_each_volume_also_of_those_that_clash() -> None:
    def entry(tenant_of_volume: Tenant) -> dict[str, object]:
        return {**tenant_of_volume.model_dump(mode="json", exclude={"plan"}), "plan": "standard"}

    paths = {"acme": "/srv/acme/current", "globex": "/srv/globex/www", "hooli": "/srv/globex/www/blog"}
    entries = [entry(on_one_volume(name, path)) for name, path in paths.items()]
    register = parse_register({"tenants": entries}, PLANS, tenants_source="t", plans_source="p")
    assert set(register.tenants) == {"acme"}
    assert register.grounds[VOLUME].neighbour(ACME, "globex/www/admin") == "globex"
    assert set(grounds_by_volume(register.everyone.values())) == {VOLUME}
