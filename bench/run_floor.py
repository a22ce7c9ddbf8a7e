"""Backs a whole fleet up by the bare asyncio script and measures it: what the work itself costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Mapping

from bench.measured import Measured
from bench.stack import BenchStack
from bench.vault_check import find_problems, read_manifests
from bench.ways.way import vault_environment
from lab.environment import PROJECT

FLOOR = "script"
TITLE = "(c) bare asyncio script"


def run_floor(
    bench: BenchStack, tenants: Collection[str], seconds: float, extra: Mapping[str, str] | None = None
) -> Measured:
    """Back the fleet up by the script, within `seconds`; Airflow is stopped meanwhile.

    Args:
        extra: More of the script's environment.

    Raises RuntimeError when the script fails, subprocess.TimeoutExpired when it does not end.
    """
    bench.stop_airflow()
    path = {"PYTHONPATH": f"{PROJECT}:{PROJECT / 'plugins'}"}
    environment = bench.stack.environment | vault_environment(bench.settings, FLOOR) | path | dict(extra or {})
    with bench.stack.processes.log(FLOOR).open("ab") as errors:
        script = subprocess.Popen(
            [sys.executable, "-m", "bench.ways.floor"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        with bench.meter({FLOOR: script.pid}) as meter:
            output, _ = script.communicate(timeout=seconds)
    finally:
        script.kill()
        script.wait()
    if script.returncode:
        raise RuntimeError(f"The bare script has failed. {bench.stack.processes.log_advice(FLOOR)}")
    told = json.loads(output.splitlines()[-1])
    return Measured(
        title=TITLE,
        tenants=len(tenants),
        wall=told["wall"],
        problems=[*told["failures"], *find_problems(read_manifests(bench.settings, FLOOR), tenants)],
        **{**meter.figures, "cpu": {FLOOR: told["cpu"]}},
    )
