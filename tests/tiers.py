"""`python -m tests.tiers [all]`: what `make test` and `make test-all` run, what they leave out, and what it took."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from lab.environment import PROJECT
from lab.signals import STOP_SIGNALS
from lab.testing.deadlines import measure_pace
from tests.stamp import fingerprint, is_narrowed_down, is_stamped, stamp


@dataclass(frozen=True)
class Part:
    """One run of pytest: its name in the summary, its arguments, and whether a failure before it stops it."""

    name: str
    arguments: str
    after_green: bool = False


@dataclass(frozen=True)
class Result:
    """How a part ended: pytest's exit code and counts, seconds of the wall and of CPU, and all that it printed."""

    part: Part
    code: int
    counts: str
    wall: float
    cpu: float
    output: bytes = b""

    def __str__(self) -> str:
        return f"  {self.part.name:<14}{self.counts:<48}{self.wall:>6.0f} s {self.cpu:>6.0f} s CPU"


# Each worker takes 12 s of processor time until its first test, and tests wait: four keep two cores busy.
PARTS = Part("parts", "-n 4 --no-loadscope-reorder --ignore tests/lab --ignore tests/stack -m 'not sweep'")
LAB = Part("tests/lab", "-n 3 --no-loadscope-reorder tests/lab -m 'not sweep'")
STACK = Part("stack", "tests/stack -m 'not sweep'")  # one Airflow: a second one costs more than it saves
SWEEPS = Part("sweeps", "-n 3 --dist load --maxschedchunk 1 --ignore tests/stack -m sweep", after_green=True)
STACK_SWEEPS = Part("stack sweeps", "tests/stack -m sweep", after_green=True)
PROPERTIES = Part(
    "properties",
    "-n 2 --dist load tests/unit/retention/test_periods.py tests/unit/retention/test_properties.py "
    "--hypothesis-profile thorough",
    after_green=True,
)


INTERRUPTED = 130  # 128 and the signal's number, as a shell has it


class Runs:
    """The runs of pytest that go on, which an interrupt ends: no part begins after it."""

    def __init__(self) -> None:
        self.interrupted = False
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[bytes]] = []

    def begin(self, command: list[str]) -> subprocess.Popen[bytes] | None:
        """Start a run; None after an interrupt."""
        with self._lock:
            if self.interrupted:
                return None
            # Every worker would compile all tests anew, which takes it 4 s of processor time.
            environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
            process = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            self._running.append(process)
            return process

    def wait(self, process: subprocess.Popen[bytes]) -> float:
        """Wait for the end of a run; the CPU seconds of it and of all that it has waited for."""
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # until nobody signals it, its id stays its own
        with self._lock:
            self._running.remove(process)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime

    def interrupt(self) -> None:
        """Tell every run to end, and so to stop the servers of its tests; Ctrl-C has told them already."""
        with self._lock:
            self.interrupted = True
            for process in self._running:
                os.kill(process.pid, signal.SIGTERM)


def main(arguments: Sequence[str] = ()) -> int:
    """Run the tests of `make test`, and with `all` those of `make test-all`; 0 when all of them have passed."""
    began, runs = time.monotonic(), Runs()
    for name in STOP_SIGNALS:
        signal.signal(name, lambda *_: runs.interrupt())
    measure_pace()
    lanes = plan(everything=list(arguments) == ["all"], lab_is_due=not is_stamped())
    results = run_lanes(lanes, runs)
    planned = [part for lane in lanes for part in lane]
    said = summary(results, time.monotonic() - began, planned, runs.interrupted)
    _write(("\n".join(said) + "\n").encode())
    if runs.interrupted:
        return INTERRUPTED
    return 1 if any(result.code for result in results) else 0


def plan(everything: bool, lab_is_due: bool) -> list[list[Part]]:
    """The lanes of a run, which go on beside each other, and the parts of each.

    The tests on the real components wait for most of their time, and so run beside the others. Neither lane waits for
    the other one: a machine with half of its work to do would take as long.
    """
    others, stack = [PARTS, LAB] if lab_is_due else [PARTS], [STACK]
    if everything:
        others += [SWEEPS, PROPERTIES] if lab_is_due else [SWEEPS, PROPERTIES, LAB]
        stack.append(STACK_SWEEPS)
    return [others, stack]


def summary(results: list[Result], seconds: float, planned: list[Part], interrupted: bool) -> Iterator[str]:
    """The lines that say what ran, what it took, what was left out and why."""
    ran = [result.part for result in results]
    yield f"\nAfter {seconds:.0f} s:"
    yield from map(str, results)
    why = "interrupted" if interrupted else "the tests before it have failed"
    yield from (f"  {part.name:<14}not begun: {why}" for part in planned if part not in ran)
    if LAB not in planned:
        yield f"  {LAB.name:<14}unchanged since the last green run, not run again; `make test-all` always runs them"
    if SWEEPS not in planned:
        yield f"  {SWEEPS.name:<14}left out; `make test-all` runs them"
    if LAB in ran and is_narrowed_down():
        yield f"  {LAB.name:<14}will run again all the same: PYTEST_ADDOPTS is set, and may have narrowed them down"
    ended = ", ".join(result.part.name for result in results if result.code)
    if interrupted:
        yield f"Interrupted: {ended or 'between two parts'}."
    else:
        yield f"Failed: {ended}." if ended else "All that ran has passed."


def run_lanes(lanes: list[list[Part]], runs: Runs) -> list[Result]:
    """Run the parts of each lane one after the other, and the lanes beside each other; the first is shown at once."""
    with ThreadPoolExecutor(len(lanes)) as pool:
        running = [pool.submit(_run_lane, lane, runs, show=lane is lanes[0]) for lane in lanes]
        shown, *others = [lane.result() for lane in running]
    for result in (result for lane in others for result in lane):
        _write(result.output)
    return [*shown, *(result for lane in others for result in lane)]


def _run_lane(lane: list[Part], runs: Runs, show: bool) -> list[Result]:
    results: list[Result] = []
    for part in lane:
        if part.after_green and any(result.code for result in results):
            continue
        result = run(part, runs, show)
        if result is None:
            break
        results.append(result)
    return results


def run(part: Part, runs: Runs, show: bool) -> Result | None:
    """Run one part, None after an interrupt; what it says is shown at once, or kept for later."""
    content, began = fingerprint(), time.monotonic()
    colour = "yes" if sys.stdout.isatty() else "no"
    command = [sys.executable, "-m", "pytest", "--max-worker-restart=0", "--dist=loadfile", f"--color={colour}"]
    process = runs.begin([*command, *shlex.split(part.arguments)])
    if process is None:
        return None
    assert process.stdout
    output = b"".join(_read(process.stdout, show))
    cpu = runs.wait(process)
    if part == LAB:
        stamp(content if process.returncode == 0 else None)
    return Result(part, process.returncode, counts(output), time.monotonic() - began, cpu, output)


def _read(stream: IO[bytes], show: bool) -> Iterator[bytes]:
    while chunk := os.read(stream.fileno(), 65536):
        if show:
            _write(chunk)
        yield chunk


def _write(chunk: bytes) -> None:
    with suppress(OSError):  # whoever read it has gone: the tests come to their end all the same
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def counts(output: bytes) -> str:
    """The counts in the last line that pytest says: `12 passed, 1 skipped`."""
    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", output).decode(errors="replace")
    found = re.findall(r"^=* ?(\d+ [a-z].*?) in [\d.]+s", plain, re.MULTILINE)
    return found[-1] if found else "ended without counts"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
