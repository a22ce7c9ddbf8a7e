from typing import Any

import pytest

from include.rules.register.shared_volumes import clashes
from include.rules.register.tenants import Tenant
from tests.unit.builders import tenant, tenant_entry


def on_one_volume(name: str, path: str, *, mount: str = "/srv", **web: Any) -> Tenant:
    entry = tenant_entry(name)["web"]
    return tenant(name, web={**entry, "volume": "vol-0000000a", "mount": mount, "path": path, **web})


def test_many_tenants_may_live_side_by_side_on_one_volume() -> None:
    sites = [on_one_volume(f"t{number}", f"/srv/t{number}/site") for number in range(50)]
    assert clashes(sites) == {}


@pytest.mark.parametrize(
    ("outer", "inner"),
    [("/srv/sites", "/srv/sites/acme/www"), ("/srv/www/", "/srv/www/acme"), ("/srv/./a", "/srv/a/b")],
)
def test_a_folder_in_another_tenants_folder_costs_both_their_place(outer: str, inner: str) -> None:
    found = clashes(
        [on_one_volume("globex", outer), on_one_volume("acme", inner), on_one_volume("initech", "/srv/c/d")]
    )
    assert found == {
        "acme": [f"folder {inner} on volume vol-0000000a lies in {outer} of globex"],
        "globex": [f"folder {outer} on volume vol-0000000a holds {inner} of acme"],
    }


def test_names_that_only_begin_alike_are_two_folders() -> None:
    assert clashes([on_one_volume("acme", "/srv/sites/shop"), on_one_volume("globex", "/srv/sites/shop2")]) == {}


def test_windows_takes_no_notice_of_case_nor_of_dots_at_the_end() -> None:
    windows = {"platform": "windows", "mount": "D:\\"}
    acme = on_one_volume("acme", "D:\\Sites\\Shop", **windows)
    assert set(clashes([acme, on_one_volume("globex", "D:\\sites\\SHOP. \\www", **windows)])) == {"acme", "globex"}


def test_linux_tells_cases_apart() -> None:
    assert clashes([on_one_volume("acme", "/srv/sites/Shop"), on_one_volume("globex", "/srv/sites/shop")]) == {}


def test_one_volume_at_two_hosts_is_one_volume() -> None:
    acme = on_one_volume("acme", "/srv/shop/www")
    globex = on_one_volume("globex", "/mnt/disk/shop", mount="/mnt/disk", instance="i-0000000b")
    assert set(clashes([acme, globex])) == {"acme", "globex"}


def test_a_folder_that_is_all_of_its_volume_leaves_no_room_for_others() -> None:
    whole = on_one_volume("acme", "/srv/acme", mount="/srv/acme")
    assert clashes([whole]) == {}
    assert set(clashes([whole, on_one_volume("globex", "/mnt/disk/x/y", mount="/mnt/disk")])) == {"acme", "globex"}


def test_a_database_on_a_volume_all_of_which_is_a_folder_costs_both_their_place() -> None:
    whole = on_one_volume("acme", "/srv/acme", mount="/srv/acme")
    globex = tenant("globex", database={**tenant_entry("globex")["database"], "volume": "vol-0000000a"})
    assert set(clashes([whole, globex])) == {"acme", "globex"}
