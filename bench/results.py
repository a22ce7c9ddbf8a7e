"""bench/results.md: one section for each part of `make bench`, rewritten by that part and by nothing else."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap

from lab.environment import PROJECT

BEGIN = "<!-- begin: "
RESULTS = Path(__file__).with_name("results.md")
HEAD = """# What `make bench` has measured

Written by `make bench`; each part rewrites its own section and leaves the others as they are. Ratios are of one run:
both sides on the same lab, the same machine, one after the other, the pipeline first, each once.
"""
PASS, FAIL = "met", "**missed**"


@dataclass(frozen=True)
class Check:
    """A limit and what was measured of it.

    Attributes:
        what: In words.
        measured: The figure; None where it could not be taken, which misses the limit.
        limit: What it may be at most, or at least where `at_least` is set.
        unit: Written behind both figures.
    """

    what: str
    measured: float | None
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        if self.measured is None:
            return False
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def row(self) -> tuple[str, str, str, str]:
        """What, limit, measured, verdict: cells of a table."""
        measured = "not measured" if self.measured is None else f"{figure(self.measured)}{self.unit}"
        bound = "at least" if self.at_least else "at most"
        return self.what, f"{bound} {figure(self.limit)}{self.unit}", measured, PASS if self.is_met else FAIL


@dataclass(frozen=True)
class Section:
    """What one part has to say: a title, its text (Markdown), and the limits that it is held to."""

    title: str
    text: str
    checks: Sequence[Check] = field(default_factory=tuple)

    @property
    def is_met(self) -> bool:
        return all(check.is_met for check in self.checks)

    def markdown(self) -> str:
        """The section as it stands in the page."""
        when = f"{datetime.now(UTC):%d %B %Y, %H:%M} UTC, commit {commit()}, {machine()}."
        limits = [table(("limit", "", "measured", ""), (check.row for check in self.checks))] if self.checks else []
        return "\n\n".join([f"## {self.title}", when, self.text.strip(), *limits]) + "\n"


def machine() -> str:
    """This machine as far as it matters for figures: cores, memory, system; never its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    load = os.getloadavg()[2]
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.machine()}, Python {platform.python_version()}, "
        f"load over the 15 minutes before the end {load:.1f}"
    )


def commit() -> str:
    """The commit that is measured, and whether something has changed since; `unknown` where git does not say."""
    describe = ("git", "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty= and what was changed since")
    try:
        return subprocess.run(describe, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers as `figure` writes them."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def figure(value: float) -> str:
    """A number with three digits that count, and separators of thousands."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def replace_section(page: str, name: str, body: str) -> str:
    """The page with one section, between two comments with its name, written anew; at the end where there is none."""
    begin, end = f"{BEGIN}{name} -->\n", f"<!-- end: {name} -->\n"
    section = f"{begin}{body.rstrip()}\n{end}"
    found = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", page, re.DOTALL)
    if found is None:
        return f"{page.rstrip()}\n\n{section}"
    return page[: found.start()] + section + page[found.end() :]


def write_section(name: str, section: Section, conditions: str, page: Path = RESULTS) -> None:
    """Write the section of one part, and the head anew; the page is replaced whole, so that a reader never meets half
    of it.

    Args:
        conditions: Under which ones all parts measure.
    """
    before = with_head(page.read_text() if page.exists() else "", conditions)
    draft = page.with_suffix(".draft")
    draft.write_text(replace_section(before, name, section.markdown()))
    draft.replace(page)


def with_head(page: str, conditions: str) -> str:
    """The sections of a page below a head that is written anew."""
    _, begin, sections = page.partition(BEGIN)
    lines = "\n".join(wrap(conditions, 120, break_long_words=False, break_on_hyphens=False))
    return f"{HEAD}\n{lines}\n" + (f"\n{begin}{sections}" if begin else "")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return figure(value) if isinstance(value, int | float) else str(value)
