"""Backs a whole fleet up by the bare asyncio script and measures it: what the work itself costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Mapping

from bench.measured import Measured
from bench.measuring.calls import CloudLog, busiest_minute, by_name
from bench.measuring.sampler import MemoryPeaks, cpu_by_component
from bench.stack import BenchStack
from bench.vault_check import find_problems, read_manifests
from bench.ways.way import vault_environment
from lab.environment import PROJECT

FLOOR = "floor"
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
    log, lab = CloudLog(bench.stack.processes.log("cloud")), bench.lab
    lab_before, errors = cpu_by_component(lab), bench.stack.processes.log(FLOOR)
    with errors.open("ab") as file:
        script = subprocess.Popen(
            [sys.executable, "-m", "bench.ways.floor"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    try:
        with MemoryPeaks({FLOOR: script.pid}) as memory:
            output, _ = script.communicate(timeout=seconds)
    finally:
        script.kill()
        script.wait()
    if script.returncode:
        raise RuntimeError(f"The bare script has failed. {bench.stack.processes.log_advice(FLOOR)}")
    told, calls, lab_after = json.loads(output.splitlines()[-1]), log.calls(), cpu_by_component(lab)
    return Measured(
        title=TITLE,
        tenants=len(tenants),
        wall=told["wall"],
        cpu={"script": told["cpu"]},
        lab_cpu={name: lab_after[name] - lab_before[name] for name in lab},
        memory=memory.largest,
        calls=by_name(calls),
        describes=busiest_minute(calls, "ec2:DescribeSnapshots"),
        problems=[*told["failures"], *find_problems(read_manifests(bench.settings, FLOOR), tenants)],
    )
