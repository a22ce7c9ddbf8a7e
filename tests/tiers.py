"""`python -m tests.tiers [all]`: what `make test` and `make test-all` run, what they leave out, and what it took."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

from lab.environment import PROJECT
from lab.testing.deadlines import measure_pace
from tests.stamp import fingerprint, is_stamped, stamp


@dataclass(frozen=True)
class Part:
    """One run of pytest: its name in the summary, and its arguments."""

    name: str
    arguments: str


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


PARTS = Part("parts", "-n 4 --no-loadscope-reorder --ignore tests/lab --ignore tests/stack -m 'not sweep'")
LAB = Part("tests/lab", "-n 4 --no-loadscope-reorder tests/lab -m 'not sweep'")
STACK = Part("stack", "tests/stack -m 'not sweep'")  # one Airflow: a second one costs more than it saves
SWEEPS = Part("sweeps", "-n 4 --dist load --maxschedchunk 1 --ignore tests/stack -m sweep")
STACK_SWEEPS = Part("stack sweeps", "tests/stack -m sweep")
PROPERTIES = Part(
    "properties",
    "-n 2 --dist load tests/unit/retention/test_periods.py tests/unit/retention/test_properties.py "
    "--hypothesis-profile thorough",
)


def main(arguments: Sequence[str] = ()) -> int:
    """Run the tests of `make test`, and with `all` those of `make test-all`; 0 when all of them have passed."""
    measure_pace()
    began, everything = time.monotonic(), list(arguments) == ["all"]
    lab_is_due = not is_stamped()
    # The tests on the real components wait for most of their time, and so run beside the others.
    results = run_lanes([PARTS, LAB] if lab_is_due else [PARTS], [STACK])
    if everything and not any(result.code for result in results):
        results += run_lanes([SWEEPS, PROPERTIES] if lab_is_due else [SWEEPS, PROPERTIES, LAB], [STACK_SWEEPS])
    print("\n".join(summary(results, time.monotonic() - began)))
    return 1 if any(result.code for result in results) else 0


def summary(results: list[Result], seconds: float) -> Iterator[str]:
    """The lines that say what ran, what it took, what was left out and why."""
    ran = [result.part for result in results]
    yield f"\nAfter {seconds:.0f} s:"
    yield from map(str, results)
    if LAB not in ran:
        yield f"  {LAB.name:<14}unchanged since the last green run, not run again; `make test-all` always runs them"
    if SWEEPS not in ran:
        yield f"  {SWEEPS.name:<14}left out; `make test-all` runs them"
    failed = [result.part.name for result in results if result.code]
    yield f"Failed: {', '.join(failed)}." if failed else "All that ran has passed."


def run_lanes(*lanes: list[Part]) -> list[Result]:
    """Run the parts of each lane one after the other, and the lanes beside each other; the first is shown at once."""
    with ThreadPoolExecutor(len(lanes)) as pool:
        running = [pool.submit(_run_lane, lane, show=lane is lanes[0]) for lane in lanes]
        shown, *others = [lane.result() for lane in running]
    for result in (result for lane in others for result in lane):
        _write(result.output)
    return [*shown, *(result for lane in others for result in lane)]


def _run_lane(lane: list[Part], show: bool) -> list[Result]:
    return [run(part, show) for part in lane]


def run(part: Part, show: bool) -> Result:
    """Run one part; what it says is shown at once, or kept for later."""
    content, began = fingerprint(), time.monotonic()
    colour = "yes" if sys.stdout.isatty() else "no"
    command = [sys.executable, "-m", "pytest", "--max-worker-restart=0", "--dist=loadfile", f"--color={colour}"]
    process = subprocess.Popen(
        [*command, *shlex.split(part.arguments)], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout
    output = b"".join(_read(process.stdout, show))
    _, status, usage = os.wait4(process.pid, 0)  # which tells the CPU of this child and of all that it has waited for
    process.returncode = os.waitstatus_to_exitcode(status)
    if part == LAB:
        stamp(content if process.returncode == 0 else None)
    cpu = usage.ru_utime + usage.ru_stime
    return Result(part, process.returncode, counts(output), time.monotonic() - began, cpu, output)


def _read(stream: IO[bytes], show: bool) -> Iterator[bytes]:
    while chunk := os.read(stream.fileno(), 65536):
        if show:
            _write(chunk)
        yield chunk


def _write(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def counts(output: bytes) -> str:
    """The counts in the last line that pytest says: `12 passed, 1 skipped`."""
    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", output).decode(errors="replace")
    found = re.findall(r"^=* ?(\d+ [a-z].*?) in [\d.]+s", plain, re.MULTILINE)
    return found[-1] if found else "ended without counts"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
