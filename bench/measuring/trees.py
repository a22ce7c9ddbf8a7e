"""CPU and memory of whole process trees, from /proc.

CPU is user and system time of every member that lives, each with that of the children it has waited for: a worker that
started and ended between two looks is in its parent's account. Ticks of a member that dies unwaited are lost; none of
the processes measured here leaves its children so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")
MB = 1_000_000


@dataclass(frozen=True)
class ProcessStat:
    """One process: whose child it is, the session it belongs to, and its ticks, those of its ended children too."""

    pid: int
    parent: int
    session: int
    ticks: int


def parse_stat(text: str) -> ProcessStat:
    """Read /proc/<pid>/stat, see proc(5); the name, in brackets, may itself have blanks and brackets in it."""
    pid, _, rest = text.partition(" ")
    fields = rest.rpartition(")")[2].split()
    # After the name: state ppid pgrp session ... utime stime cutime cstime as the 12th to the 15th.
    return ProcessStat(int(pid), int(fields[1]), int(fields[3]), sum(int(field) for field in fields[11:15]))


def all_processes(proc: Path = PROC) -> dict[int, ProcessStat]:
    """Every process of the machine by its id."""
    found = {}
    for folder in proc.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, IndexError, ValueError):  # it has ended meanwhile
                stat = parse_stat((folder / "stat").read_text())
                found[stat.pid] = stat
    return found


def tree_of(leader: int, processes: dict[int, ProcessStat]) -> list[ProcessStat]:
    """The leader, its descendants, and members of its session that have lost their parent; empty when it is gone."""
    children: dict[int, list[ProcessStat]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    members: dict[int, ProcessStat] = {}
    waiting = [process for process in processes.values() if process.pid == leader or process.session == leader]
    while waiting:
        process = waiting.pop()
        if process.pid not in members:
            members[process.pid] = process
            waiting += children.get(process.pid, [])
    return list(members.values())


def cpu_seconds(tree: Iterable[ProcessStat]) -> float:
    """CPU seconds that a tree has used so far."""
    return sum(process.ticks for process in tree) / TICK


def pss_mb(pid: int, proc: Path = PROC) -> float:
    """Proportional set size in MB (10^6 bytes): its own memory, and its share of what it shares; 0 when it is gone."""
    with suppress(OSError):
        for line in (proc / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / MB
    return 0.0
