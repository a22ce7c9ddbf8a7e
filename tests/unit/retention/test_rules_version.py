"""Whoever changes what the rules keep raises their version, so that the first run afterwards asks what that takes."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from random import Random

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.records import RULES_VERSION
from tests.unit.retention.timelines import NOW, plan, point

KEPT_BY_VERSION = {1: "19afeeff25eaf1c0"}
STATES = (State.VERIFIED, State.VERIFIED, State.VERIFIED, State.PENDING, State.FAILED)


def test_a_change_of_what_is_kept_has_a_version_of_its_own() -> None:
    digest = hashlib.sha256()
    random = Random(20260630)  # noqa: S311 - not a secret
    for _ in range(60):
        points = [
            point(
                NOW - timedelta(minutes=random.choice([3_000, 90_000, 1_500_000]) * random.random()),
                random.choice(list(Kind)),
                random.choice(STATES),
                id=f"p{number:03}",
                half_restored="acme-restore-1" if random.random() < 0.1 else None,
                needs=(f"p{number - 1:03}",) if number and random.random() < 0.2 else (),
            )
            for number in range(80)
        ]
        for policy in (RetentionPolicy(), RetentionPolicy(daily=5, weekly=2, monthly=0, yearly=2, manual=3)):
            digest.update("\n".join(sorted(it.point.id for it in plan(points, policy=policy).kept)).encode())
    assert KEPT_BY_VERSION.get(RULES_VERSION) == digest.hexdigest()[:16], (
        "the rules keep something else than those of this version: raise RULES_VERSION, and write its digest here"
    )
