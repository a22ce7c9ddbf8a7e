"""What a fleet's run is held to: problems are found by name, ratios are of what was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import pytest

from bench.__main__ import PARTS, main
from bench.fleet import checks as compared
from bench.fleet_seed import Fleet
from bench.measured import Measured
from bench.measuring.records import Runs
from bench.run_way import run_problems
from bench.tables import calls_table, components_table, problems_list, ways_table
from bench.thousand import checks, seconds_table
from bench.trial import fleet_size
from bench.vault_check import find_problems
from bench.ways.way import DEFERRABLE, DEFERRABLE_PRELOADED, SYNC, SYNC_PRELOADED, WORKERLESS


def manifest(tenant: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{tenant}-daily-20261126",
        "tenant": tenant,
        "kind": "daily",
        "state": "verified",
        "attempt": 1,
        "verification": {"level": 2},
        **changes,
    }


def measured(**changes: Any) -> Measured:
    figures: dict[str, Any] = {
        "title": "workerless",
        "tenants": 10,
        "wall": 60.0,
        "cpu": {"triggerer": 4.0, "database": 1.0},
        "lab_cpu": {"cloud": 3.0},
        "queued": 2.0,
        "memory": {"triggerer": 300.0, "database": 20.0},
        "calls": Counter({"ec2:CreateSnapshot": 20, "ssm:SendCommand": 10, "s3:GetObject": 100}),
    }
    return Measured(**(figures | changes))


def test_a_fleet_with_one_verified_point_each_has_no_problem() -> None:
    manual = manifest("a", id="a-manual", kind="manual", state="failed")
    assert find_problems([manifest("a"), manifest("b"), manual], ["a", "b"]) == []


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ([manifest("a")], "1 have no verified recovery point: b"),
        ([manifest("a"), manifest("b", state="failed")], "1 have no verified recovery point: b"),
        ([manifest("a"), manifest("b", verification={"level": 1})], "1 have no verified recovery point: b"),
        ([manifest("a"), manifest("b"), manifest("b")], "1 have more than one daily recovery point: b"),
        ([manifest("a"), manifest("b"), manifest("c")], "1 are not in the fleet: c"),
        ([manifest("a"), manifest("b", attempt=2)], "1 needed a second attempt: b-daily-20261126"),
    ],
)
def test_tenants_that_are_lost_or_there_twice_are_named(found: list[dict[str, Any]], problem: str) -> None:
    assert find_problems(found, ["a", "b"]) == [problem]


def test_runs_that_failed_or_came_twice_are_told() -> None:
    runs = Runs(Counter(success=3, failed=1), Counter({"a|daily": 2, "b|daily": 1}), 1, 2, starts=0, mismatches=1)
    assert run_problems(runs) == [
        "1 runs ended as failed",
        "1 tenants had more than one run: a|daily",
        "Airflow failed 1 deferred tasks for the executor's late word",
    ]
    assert run_problems(Runs(Counter(success=3), Counter("abc"), 1, 2, starts=0, mismatches=0)) == []


def test_figures_are_per_tenant() -> None:
    way = measured()
    assert way.cpu_per_tenant == 0.5
    assert way.lab_cpu_per_tenant == pytest.approx(0.3)
    assert way.cloud_calls_per_tenant == 3  # without those of S3
    assert way.largest_process == 300


def test_tables_have_a_column_or_a_row_for_each_way() -> None:
    ways = [measured(), measured(title="(c)", cpu={"script": 1.0}, memory={}, queued=None, problems=["lost"])]
    assert "| (c) | 60 |  | 0.10 | 0 |  | 0.30 |" in ways_table(ways)
    assert "| triggerer | 0.400; 300 |  |" in components_table(ways)
    assert "| ec2:CreateSnapshot | 2 | 2 |" in calls_table(ways)
    assert problems_list(ways) == "* (c): lost"
    assert "one verified recovery point" in problems_list([measured()])


def test_a_thousand_are_held_to_their_limits() -> None:
    cheap = Counter({"ec2:CreateSnapshot": 1, "s3:GetObject": 100})
    assert all(check.is_met for check in checks(measured(calls=cheap, blocking=())))
    missed = [
        check.what
        for check in checks(measured(wall=481.0, starts=1, queued=16.0, problems=["lost"], calls=cheap, blocking=()))
        if not check.is_met
    ]
    assert missed == [
        "tenants with anything amiss",
        "until all are queued",
        "until all are backed up",
        "worker starts of tenants' tasks",
    ]


def test_what_nobody_has_seen_meets_no_limit() -> None:
    blind = [check.what for check in checks(measured(calls=Counter(), memory={})) if check.measured is None]
    assert blind == [
        "largest process",
        "callbacks in the triggerer's loop of over 50 ms of CPU",
        "EC2 and SSM calls per tenant",
        "S3 requests per tenant, SQL Server's own apart",
    ]


def test_a_ratio_to_a_way_that_lost_tenants_says_so() -> None:
    *_, check = compared({WORKERLESS: measured(), SYNC: measured(problems=["2 runs ended as failed"])})
    assert check.what == "CPU, workerless to (a) sync operators, which has not backed all of them up"


def test_the_pipeline_is_held_to_a_ratio_to_each_way_beside_it() -> None:
    ways = (SYNC, DEFERRABLE, SYNC_PRELOADED, DEFERRABLE_PRELOADED)
    costly = {way: measured(cpu={"scheduler": 100.0}) for way in ways}
    for way in ways:
        ratios = [check for check in compared({WORKERLESS: measured(), way: costly[way]}) if "CPU" in check.what]
        assert [(check.what, check.is_met) for check in ratios] == [(f"CPU, workerless to {way.title}", True)]
        assert not all(check.is_met for check in compared({WORKERLESS: costly[way], way: costly[way]}))


def test_every_second_of_the_cores_is_accounted_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    *_, rest = seconds_table(measured()).splitlines()
    assert rest == "| idle, or others, of 2 cores | 112.0 |  | 93.3 % |  |"


def test_a_fleet_of_a_thousand_is_on_twenty_servers() -> None:
    assert [Fleet(size).servers for size in (10, 100, 1000, 3000)] == [1, 2, 20, 31]


def test_the_spare_tenant_shares_with_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: dict[str, dict[str, Any]] = {}

    def seed(_settings: object, count: int, per_volume: int, say: object) -> None:
        seeded.update({f"t{n:04}": {"id": f"t{n:04}", "volume": (n - 1) // per_volume} for n in range(1, count + 1)})

    def take_out(_settings: object, tenants: Collection[str]) -> None:
        for tenant in tenants:
            del seeded[tenant]

    monkeypatch.setattr("bench.fleet_seed.seed_fleet", seed)
    monkeypatch.setattr("bench.fleet_seed.registered", lambda _: dict(seeded))
    monkeypatch.setattr("bench.fleet_seed.unregister", take_out)
    for tenants in (1, 20, 30):
        seeded.clear()
        spare = Fleet(tenants).seed(None)  # type: ignore[arg-type]
        assert len(seeded) == tenants
        assert spare["volume"] not in {entry["volume"] for entry in seeded.values()}


def test_a_trial_is_smaller_and_never_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fleet_size(100) == 100
    monkeypatch.setenv("TENANTS", "10")
    assert [fleet_size(size) for size in (5, 100)] == [5, 10]
    monkeypatch.setenv("TENANTS", "ten")
    with pytest.raises(SystemExit, match="TENANTS is 'ten', but has to be a number of tenants"):
        fleet_size(5)


def test_every_part_can_be_imported_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib import import_module

    for place, _ in PARTS.values():
        module, _, function = place.partition(":")
        assert callable(getattr(import_module(module), function))
    with pytest.raises(SystemExit):
        main(["flet"])
    assert "there is no part flet; there are fleet," in capsys.readouterr().err
