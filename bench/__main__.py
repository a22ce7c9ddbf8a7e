"""`python -m bench [PART...]`: measure, print, and write each part's section of bench/results.md.

A part is a function that takes `say`, to tell how far it is, and returns a Section. Each runs alone and takes less than
30 minutes on a quiet machine with two cores; without a name all of them run.
TENANTS in the environment makes the fleets smaller, to try a part out: nothing is written then.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module

from bench.conditions import conditions
from bench.results import Section, write_section
from bench.trial import tenants_to_try
from lab.signals import interrupt_on_signals

Say = Callable[[str], None]

PARTS = {
    "fleet": ("bench.fleet:hundred", "100 tenants: workerless, sync operators, deferrable operators, no Airflow"),
    "fleet-preloaded": ("bench.fleet:hundred_preloaded", "100 tenants: beside workers that find everything loaded"),
    "fleet300-sync": ("bench.fleet:three_hundred_sync", "300 tenants: workerless beside sync operators"),
    "fleet300-deferrable": ("bench.fleet:three_hundred_deferrable", "300 tenants: workerless beside deferrable ones"),
    "alone": ("bench.alone:measure", "one tenant that shares nothing: its calls of AWS"),
    "thousand": ("bench.thousand:one_triggerer", "1,000 tenants on 20 SQL Servers, AWS's limits on"),
    "two-triggerers": ("bench.thousand:two_triggerers", "1,000 tenants by one triggerer and by two"),
    "growth": ("bench.growth:small", "50, 200 and 1,000 tenants"),
    "growth3000": ("bench.growth:large", "3,000 tenants"),
    "waiting": ("bench.waiting:measure", "DescribeSnapshots while 20, 100 and 500 tenants wait"),
    "restore-files": ("bench.restore_files:measure", "10,000 small files and a large one, beside rsync -a and cp -a"),
    "restore-many": ("bench.restore_many:measure", "restore of ten tenants of one host at once"),
    "retention": ("bench.retention_fleet:measure", "retention of 1,000 tenants with 60 recovery points each"),
    "hourly": ("bench.hourly:measure", "hourly logs of 200 tenants: not there yet, and says so"),
}
"""Of each part the function that measures it and returns its section, and what it is about."""

INTERRUPTED = 130  # 128 and the signal's number, as a shell has it


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; 0 when all limits are met, 1 when one is missed, 2 when a part failed."""
    listing = "\n".join(f"  {name:<22}{text}" for name, (_, text) in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=f"parts:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="all of them when none is named")
    chosen = parser.parse_args(arguments).parts or list(PARTS)
    if unknown := [part for part in chosen if part not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    with interrupt_on_signals():
        try:
            return max(run(part) for part in chosen)
        except KeyboardInterrupt:
            print("\nbench: interrupted; everything that it has started is stopped.", file=sys.stderr)
            return INTERRUPTED


def run(part: str) -> int:
    """Run one part and write its section; its exit code. What goes wrong in one part ends no other."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{part} {time.monotonic() - began:6.0f} s  {text}", flush=True)

    say(PARTS[part][1])
    try:
        module, _, function = PARTS[part][0].partition(":")
        section: Section = getattr(import_module(module), function)(say)
    except Exception:
        traceback.print_exc()
        say("FAILED: see above; nothing was written")
        return 2
    print(f"\n{section.markdown()}", flush=True)
    if tenants_to_try() is None:
        write_section(part, section, conditions())
    else:
        say("a trial with fewer tenants: nothing was written to bench/results.md")
    say(("all limits met" if section.checks else "it has no limits") if section.is_met else "a limit is missed")
    return 0 if section.is_met else 1


if __name__ == "__main__":
    raise SystemExit(main())
