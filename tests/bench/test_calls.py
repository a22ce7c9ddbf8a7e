"""Calls that the lab's servers have had: what the cloud's log tells, and what all servers count."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from bench.measuring.calls import BATCHES, SIGN_INS, LabCalls, busiest_minute, busiest_waiting_minute, by_minute
from bench.waiting import ratio
from lab.testing.cloud import LabCloud
from lab.testing.sql_server import LabSqlServer
from lab.testing.storage import LabStorage

LINES = """2026-11-26 05:59:59,998 lab.cloud ec2:CreateSnapshot 200 5 ms
2026-11-26 05:59:59,998 lab.cloud ec2:DescribeSnapshots 200 5 ms
2026-11-26 05:59:59,999 lab.cloud ec2:DescribeSnapshots 200 5 ms
2026-11-26 05:59:59,999 lab.cloud ec2:DescribeSnapshots 200 5 ms
2026-11-26 06:00:00,001 lab.cloud ec2:DescribeSnapshots 200 5 ms
2026-11-26 06:00:59,001 lab.cloud ec2:DescribeSnapshots 503 5 ms
Traceback (most recent call last):
2026-11-26 06:01:00,001 lab.cloud ec2:DescribeSnapshots 200 5 ms
2026-11-26 06:01:01,001 lab.cloud The lab's cloud answers on http://127.0.0.1
""".splitlines()


def test_the_busiest_minute_counts() -> None:
    minutes = by_minute(LINES)
    assert busiest_minute(minutes, "ec2:DescribeSnapshots") == 3
    assert busiest_minute(minutes, "ec2:CreateSnapshot") == 1
    assert busiest_minute(minutes, "ec2:DeleteSnapshot") == 0


def test_who_waits_asks_for_nothing_else() -> None:
    assert busiest_waiting_minute(by_minute(LINES), "ec2:DescribeSnapshots") == 2
    assert busiest_waiting_minute(by_minute(LINES[:3]), "ec2:DescribeSnapshots") is None


@pytest.mark.parametrize(
    ("calls", "growth"), [([60, 60, 66], 1.1), ([60, None], None), ([None, 60], None), ([0, 60], None), ([60, 0], 0)]
)
def test_growth_that_is_not_known_is_none(calls: Sequence[int | None], growth: float | None) -> None:
    assert ratio(calls) == growth


@pytest.mark.lab
def test_every_server_s_calls_are_counted_and_the_counting_is_not(
    lab_cloud: LabCloud, lab_storage: LabStorage, lab_sql_server: LabSqlServer
) -> None:
    settings = SimpleNamespace(
        cloud_port=lab_cloud.settings.cloud_port,
        storage_port=lab_storage.settings.storage_port,
        sql_numbers=[1],
        sql_port=lab_sql_server.settings.sql_port,
        sql_user=lab_sql_server.settings.sql_user,
        sql_password=lab_sql_server.settings.sql_password,
    )
    calls = LabCalls(settings, lab_cloud.log_file)  # type: ignore[arg-type]
    assert calls.by_name() == {}
    lab_cloud.client("ec2").describe_volumes()
    lab_storage.client().list_objects_v2(Bucket=lab_storage.bucket)
    lab_sql_server.run("SELECT 1")
    seen = calls.by_name()
    assert seen["ec2:DescribeVolumes"] == seen["s3:ListObjectsV2"] == seen[SIGN_INS] == seen["sql:Query"] == 1
    assert seen[BATCHES] >= 1
    assert calls.throttled() == 0
    calls.close()
