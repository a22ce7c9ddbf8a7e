"""Which calls the cloud has answered, as its log tells."""

from __future__ import annotations

from pathlib import Path

from bench.measuring.calls import CloudCall, CloudLog, busiest_minute, by_name, parse_calls

LINES = """2026-11-26 05:59:59,998 lab.cloud ec2:CreateSnapshot 200 5 ms
2026-11-26 06:00:00,001 lab.cloud ec2:DescribeSnapshots 200 5 ms
2026-11-26 06:00:59,001 lab.cloud ec2:DescribeSnapshots 503 5 ms
Traceback (most recent call last):
2026-11-26 06:01:00,001 lab.cloud ec2:DescribeSnapshots 200 5 ms
2026-11-26 06:01:01,001 lab.cloud The lab's cloud answers on http://127.0.0.1
"""


def test_calls_are_read_with_minute_name_and_status() -> None:
    calls = parse_calls(LINES.splitlines())
    assert calls[0] == CloudCall("2026-11-26 05:59", "ec2:CreateSnapshot", 200)
    assert by_name(calls) == {"ec2:CreateSnapshot": 1, "ec2:DescribeSnapshots": 3}


def test_the_busiest_minute_counts() -> None:
    calls = parse_calls(LINES.splitlines())
    assert busiest_minute(calls, "ec2:DescribeSnapshots") == 2
    assert busiest_minute(calls, "ec2:DeleteSnapshot") == 0


def test_what_was_said_before_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "cloud.log"
    file.write_text(LINES)
    log = CloudLog(file)
    with file.open("a") as more:
        more.write("2026-11-26 06:05:00,001 lab.cloud ssm:SendCommand 200 5 ms\n")
    assert by_name(log.calls()) == {"ssm:SendCommand": 1}
