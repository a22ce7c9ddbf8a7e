"""CPU and memory of process trees: from what /proc says, and of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.measuring.sampler import MemoryPeaks, cpu_by_component
from bench.measuring.trees import TICK, ProcessStat, all_processes, cpu_seconds, parse_stat, pss_mb, tree_of
from lab.testing.deadlines import within
from lab.waiting import wait_until

LINE = "4711 (a (bad) name) S 1 4711 4700 0 -1 4194304 900 800 0 0 110 20 3000 400 20 0 1 0 99 1000 200 18446744073709"


def test_a_stat_line_is_read_whatever_the_process_is_called() -> None:
    assert parse_stat(LINE) == ProcessStat(pid=4711, parent=1, session=4700, ticks=110 + 20 + 3000 + 400)


OF_A_MACHINE = ((10, 1, 10, 1), (11, 10, 10, 2), (12, 11, 12, 4), (13, 1, 10, 8), (14, 1, 14, 16))
"""Process, parent, session, ticks: 12 has a session of its own, 13 has lost its parent, 14 is a stranger."""


def test_a_tree_has_descendants_and_orphans_of_its_session_and_no_others() -> None:
    stats = [ProcessStat(pid, parent, session, ticks) for pid, parent, session, ticks in OF_A_MACHINE]
    tree = tree_of(10, {stat.pid: stat for stat in stats})
    assert sorted(member.pid for member in tree) == [10, 11, 12, 13]
    assert cpu_seconds(tree) == 15 / TICK


def test_a_tree_whose_leader_has_gone_is_empty() -> None:
    assert tree_of(10, {}) == []


def test_a_process_that_ends_while_it_is_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "4711").mkdir()
    (tmp_path / "4711" / "stat").write_text(LINE)
    (tmp_path / "4712").mkdir()
    (tmp_path / "self").mkdir()
    assert list(all_processes(tmp_path)) == [4711]


def test_memory_is_read_in_units_of_a_million_bytes(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "smaps_rollup").write_text(
        "0-1 ---p [rollup]\nRss: 20000 kB\nPss:      1000 kB\nPss_Dirty: 7 kB\n"
    )
    assert pss_mb(1, tmp_path) == pytest.approx(1.024)
    assert pss_mb(2, tmp_path) == 0


WORK = """
import subprocess, sys, time
subprocess.run([sys.executable, '-c', 'sum(range(10_000_000))'])
print(flush=True)
time.sleep(600)
"""


@contextmanager
def at_work() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has waited for a child which worked, and sleeps now."""
    process = subprocess.Popen([sys.executable, "-c", WORK], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_work_of_ended_children_counts() -> None:
    with at_work() as process:
        own = parse_stat(Path(f"/proc/{process.pid}/stat").read_text())
        assert cpu_by_component({"it": process.pid})["it"] == own.ticks / TICK
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        assert int(fields[13]) + int(fields[14]) > 0  # of the child: it has summed up ten million numbers


def test_peaks_of_memory_are_those_of_the_largest_process() -> None:
    with at_work() as process:
        peaks = MemoryPeaks({"it": process.pid, "me": os.getpid()}, pause=0.01)
        with peaks:
            wait_until(lambda: peaks.largest["it"] > 0, within(10), "nothing was seen")
        assert 0 < peaks.largest["it"] < 1000
        assert peaks.largest["me"] > 0
