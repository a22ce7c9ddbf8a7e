"""Which folder of a web snapshot comes back, and whose it must not be."""

from __future__ import annotations

import pytest

from include.rules.errors import RefusedError
from include.rules.points.looks import VolumeLook
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.register.tenants import Tenant
from include.rules.restore.source_folder import check_source, describe_source, said_folder, seen_folder
from tests.unit.builders import NOW, verified
from tests.unit.register.test_shared_volumes import on_one_volume

GLOBEX = on_one_volume("globex", "/srv/globex/current")


def point(seen: str = "", path: str = "/srv/acme/current") -> Manifest:
    looks = {PartName.WEB_SNAPSHOT: VolumeLook(at=NOW, folder=seen)}
    return verified().model_copy(update={"source": on_one_volume("acme", path), "looks": looks})


@pytest.mark.parametrize("folder", ["globex/current", "globex/releases/6", "globex", "."])
def test_what_is_a_neighbours_does_not_come_back(folder: str) -> None:
    match = (
        f"/srv/acme/current leads to {folder} on volume vol-0000000a, where tenant globex lives, whose files it would "
        r"hand out\. .*Nothing was restored\. .*restore another recovery point\. Take this one\."
    )
    with pytest.raises(RefusedError, match=match):
        check_source(point(), folder, [GLOBEX], suggestion="Take this one.")


def test_a_neighbour_behind_a_link_that_both_paths_go_through_is_one() -> None:
    acme, globex = point(path="/srv/www/acme/current"), on_one_volume("globex", "/srv/www/globex/current")
    with pytest.raises(RefusedError, match="where tenant globex lives"):
        check_source(acme, "data/www/globex/shared", [globex], around="data/www/acme")
    check_source(acme, "data/www/acme/releases/42", [globex], around="data/www/acme")


@pytest.mark.parametrize("folder", ["acme/releases/42", "acme", "data/site"])
def test_what_is_nobody_elses_comes_back(folder: str) -> None:
    check_source(point(), folder, [GLOBEX, on_one_volume("acme", "/srv/moved/acme")])


@pytest.mark.parametrize(
    "other",
    [on_one_volume("acme-shop", "/srv/acme/current"), on_one_volume("hooli", "/srv/globex/www", volume="vol-0000000b")],
    ids=["the tenant under another name, or whoever has its place now", "on another volume"],
)
def test_who_has_the_very_same_place_today_or_another_volume_is_no_neighbour(other: Tenant) -> None:
    check_source(point(), "acme/releases/42", [other])
    check_source(point(), "globex/www", [other])


def test_the_report_says_where_snapshot_and_look_differ_and_nothing_where_they_agree() -> None:
    assert (said_folder(point()), seen_folder(point())) == ("acme/current", "")
    assert describe_source(point(), "acme/current") == ""
    assert describe_source(point("acme/releases/42"), "acme/releases/42") == ""
    led = "In the snapshot /srv/acme/current leads to acme/releases/43 on the volume: that is taken"
    assert describe_source(point("acme/releases/42"), "acme/releases/43") == (
        f"{led}; the look before it had seen acme/releases/42."
    )
    assert describe_source(point(), "acme/releases/43") == f"{led}."
