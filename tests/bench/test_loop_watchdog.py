"""The watchdog of event loops sees who keeps a loop, in CPU time, and whoever only waits it leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.loop_watchdog import LONG, long_callbacks, report, watched

PROGRAM = """
import asyncio, gc, os, time

def keep_the_loop(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass

async def busy():
    await asyncio.sleep(0)
    keep_the_loop(0.2)

async def collecting():
    gc.disable()
    cycles = [[] for _ in range(1_500_000)]
    for cycle in cycles:
        cycle.append(cycle)
    del cycle, cycles
    gc.collect()

async def idle():
    time.sleep(0.2)
    await asyncio.sleep(0.1)

async def main():
    tasks = [asyncio.create_task(busy(), name="the busy one"), asyncio.create_task(idle(), name="the idle one")]
    await asyncio.gather(*tasks)

asyncio.run(main())
asyncio.run(collecting())
if os.fork() == 0:
    asyncio.run(busy())
    os._exit(0)
os.wait()
"""


def test_only_what_takes_cpu_time_is_written_down_with_where_it_stood(tmp_path: Path) -> None:
    environment = {**os.environ, **watched(tmp_path / "loops")}
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)
    callbacks = long_callbacks(tmp_path / "loops")
    assert len(list((tmp_path / "loops").glob("*.jsonl"))) == 2  # a forked process has a file of its own
    kept = [one for one in callbacks if "keep_the_loop" in one.where]
    assert len(kept) == 2
    assert all(one.seconds >= 0.2 and one.collecting < 0.1 for one in kept)
    assert max(one.collecting for one in callbacks if "collecting" in one.what) > LONG
    assert any("the busy one" in one.what for one in kept)
    assert not any("the idle one" in one.what for one in callbacks)
    assert all(one.seconds >= LONG for one in callbacks)
    assert "keep_the_loop" in report(callbacks)


def test_a_process_that_is_not_to_be_watched_is_not(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": watched(tmp_path)["PYTHONPATH"]}
    subprocess.run([sys.executable, "-c", "import asyncio; asyncio.run(asyncio.sleep(0))"], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
