"""What earlier attempts have left beside a recovery point."""

from __future__ import annotations

from include.rules.points.left_over import replaced_parts
from tests.unit.builders import running, verified


def test_parts_that_a_later_attempt_has_replaced_are_named() -> None:
    point = verified()
    assert point.parts.bak
    (own,), prefix = point.parts.bak.keys, "recovery-points/acme/acme-daily-20261123/"
    names = replaced_parts(point, ["snap-0123456789abcdef0", "snap-extra"], [own, f"{prefix}full-02.bak"])
    assert names == ("snap-extra", f"{prefix}full-02.bak")


def test_parts_of_a_point_that_is_not_verified_may_still_be_wanted() -> None:
    assert replaced_parts(running(), ["snap-extra"], ["full-01.bak"]) == ()


def test_beside_a_manifest_that_does_not_name_all_its_parts_nothing_is_left_over() -> None:
    edited = verified().model_copy(update={"parts": verified().parts.model_copy(update={"bak": None})})
    assert replaced_parts(edited, ["snap-extra"], ["full-01.bak"]) == ()
