"""The look before a snapshot where a site is a link: whose folder it leads to, and how old an answer may be."""

from __future__ import annotations

import pytest

from include.rules.errors import PartError
from tests.support.neighbours import Neighbours, daily
from tests.support.steps import OPEN, TODAY, WEB
from tests.support.volumes import look
from tests.support.world import World

pytestmark = pytest.mark.lab


def deploy(world: World, folder: str) -> None:
    """Let acme's site be a link to a folder, seen from beside the site, that holds a page."""
    site = world.site("acme")
    if not site.is_symlink():
        site.rename(site.with_name("was"))
    site.unlink(missing_ok=True)
    target = site.parent / folder
    target.mkdir(parents=True, exist_ok=True)
    (target / "index.html").write_text(f"from {folder}")
    site.symlink_to(folder)


def test_a_link_into_what_is_a_neighbours_is_a_difference_and_joins_no_snapshot(neighbours: Neighbours) -> None:
    neighbours.add("globex")
    world = neighbours.world
    for folder in ("../globex/site", "../globex/private", ".."):
        deploy(world, folder)
        world.run(OPEN, daily("acme"))
        with pytest.raises(PartError, match=r"was not snapshotted: .* not this tenant's alone: globex lives there"):
            world.run(WEB, daily("acme"))
    neighbours.at_once([OPEN, WEB], ["globex"])
    (shared,) = world.shared_snapshots(daily("globex"))
    assert {one.tenant for one in shared.looks.values()} == {"globex"}


def test_a_link_to_a_release_of_its_own_is_none(neighbours: Neighbours) -> None:
    neighbours.add("globex")
    deploy(neighbours.world, "releases/1")
    neighbours.at_once([OPEN, WEB])
    assert look(neighbours.world, "web_snapshot").folder == "acme/releases/1"


def test_a_point_by_hand_looks_anew_because_a_deployment_was_right_before_it(world: World) -> None:
    deploy(world, "releases/1")
    world.back_up(TODAY)
    assert look(world, "web_snapshot").folder == "releases/1"
    deploy(world, "releases/2")
    by_hand = world.back_up("acme|manual|2026-11-23T10:00:00Z")
    assert {part.value: found.folder for part, found in by_hand.looks.items()}["web_snapshot"] == "releases/2"
