"""What `make bench` reads from Airflow's records, held to a stack's own run."""

from __future__ import annotations

from bench.measuring.records import Dispatch, Records
from lab.testing.deadlines import within
from lab.waiting import wait_until
from tests.support.stack import RunningStack


def assert_a_benchmark_sees(stack: RunningStack, dispatch: Dispatch, runs: int) -> None:
    """What `make bench` reads from Airflow's records of a dispatch, and all that came after it."""
    records = Records(stack.settings)
    seen = records.runs("tenant_backup", dispatch)
    assert seen.states == records.states("tenant_backup", dispatch) == {"success": runs}
    assert {key.split("|")[0]: count for key, count in seen.per_key.items()} == dict.fromkeys(
        ("acme", "globex", "initech"), runs // 3
    )
    assert 0 < seen.queued_after <= seen.ended_after
    assert (seen.starts, seen.mismatches) == (0, 0)
    assert records.state(dispatch) == "success"
    assert records.starts("daily_backups", dispatch) == 2  # a worker for each of the two dispatches
    wait_until(lambda: records.callbacks_waiting() == 0, within(60), "callbacks still wait")
