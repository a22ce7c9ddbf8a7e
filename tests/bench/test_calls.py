"""Calls that the lab's servers have had: what the cloud's log tells, and what all servers count."""

from __future__ import annotations

from bench.measuring.calls import busiest_minute

LINES = """2026-11-26 05:59:59,998 lab.cloud ec2:CreateSnapshot 200 5 ms
2026-11-26 06:00:00,001 lab.cloud ec2:DescribeSnapshots 200 5 ms
2026-11-26 06:00:59,001 lab.cloud ec2:DescribeSnapshots 503 5 ms
Traceback (most recent call last):
2026-11-26 06:01:00,001 lab.cloud ec2:DescribeSnapshots 200 5 ms
2026-11-26 06:01:01,001 lab.cloud The lab's cloud answers on http://127.0.0.1
""".splitlines()


def test_the_busiest_minute_counts() -> None:
    assert busiest_minute(LINES, "ec2:DescribeSnapshots") == 2
    assert busiest_minute(LINES, "ec2:CreateSnapshot") == 1
    assert busiest_minute(LINES, "ec2:DeleteSnapshot") == 0
