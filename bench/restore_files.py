"""How fast copy_tree brings files back, beside the bare tools on the same tree in the same run.

Two trees: 10,000 small files, and one large file. What is timed is the whole script by itself, without SSM: finding and
mounting the disk (the lab's host tools), copying, its checks, counting. Beside it stand `rsync -a` and `cp -a`, which
check nothing afterwards. All three begin with an empty target and a source in memory (so that what is compared is the
work, not the disk's mood), and end when the target is on the disk (`sync -f`). Five rounds, one run of each in each, in
changing order; the ratio is the median of the rounds' ratios. TMPDIR chooses the disk.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.results import Check, Section, table
from include.rules.register.tenants import Platform
from lab.cloud.hosts import host_environment
from perennial.hooks.aws.host_scripts import script_lines

ROUNDS, WANTED = 5, 0.9
SMALL_FILES, LARGE_MEGABYTES = 10_000, 1_024
_MEGABYTE = 1_048_576
_VOLUME = "vol-0123456789abcdef0"
_OURS, _RSYNC, _CP = "copy_tree", "rsync -a", "cp -a"


class Taken(NamedTuple):
    """Seconds by the clock, and of processors (the children's, user and system)."""

    wall: float
    cpu: float


class Bench:
    """A host of the lab with one attached volume, without the servers around it."""

    def __init__(self, folder: Path, fill: Callable[[Path], int]) -> None:
        self.host, self.source = folder / "host", folder / _VOLUME / "site"
        self.target = self.host / "srv" / "site"
        for path in (self.source, self.target.parent, self.host / "dev", self.host / "tmp"):
            path.mkdir(parents=True)
        (self.host / "dev" / "sdf").symlink_to(self.source.parent)
        self.bytes = fill(self.source)
        parameters = {
            "VOLUME_ID": _VOLUME,
            "MOUNT_NAME": "perennial-bench",
            "SOURCE": "site",
            "TARGET": str(self.target),
            "OFFLINE_MARKER": "app_offline.htm",
            "PATHS": "",
            "MUST_BE_NEW": "no",
        }
        script = folder / "script.sh"
        script.write_text("\n".join(script_lines(Platform.LINUX, "copy_tree", parameters)) + "\n")
        synced = f"&& sync -f '{self.target}'"
        self.commands = {
            _OURS: f"/bin/sh '{script}'",
            _RSYNC: f"rsync -a '{self.source}/' '{self.target}/' {synced}",
            _CP: f"cp -a '{self.source}/.' '{self.target}/' {synced}",
        }

    def run(self, name: str) -> Taken:
        """Run one of the commands on an empty target, and make sure that all bytes are there."""
        shutil.rmtree(self.target, ignore_errors=True)
        self.target.mkdir()
        os.sync()
        began, cpu = time.monotonic(), _cpu()
        done = subprocess.run(
            ["/bin/sh", "-c", self.commands[name]], env=host_environment(self.host), stdout=subprocess.PIPE, check=True
        )
        taken = Taken(time.monotonic() - began, _cpu() - cpu)
        if name == _OURS and json.loads(done.stdout)["bytes"] != self.bytes:
            raise RuntimeError(f"copy_tree copied other bytes than {self.bytes}: {done.stdout!r}")
        subprocess.run(["/bin/sh", "-c", f"diff --recursive --brief '{self.source}' '{self.target}'"], check=True)
        return taken


def measure(say: Callable[[str], None]) -> Section:
    """Both trees, one after the other."""
    trees = {f"{SMALL_FILES:,} small files": small_files, f"one file of {LARGE_MEGABYTES:,} MiB": large_file}
    texts, checks = [], []
    for title, fill in trees.items():
        with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
            bench = Bench(Path(folder), fill)
            taken = _rounds(bench, lambda text, title=title: say(f"{title}: {text}"))  # type: ignore[misc]
        texts.append(f"{title}, {bench.bytes:,} bytes:\n\n{_table(bench.bytes, taken)}")
        checks.append(Check(f"speed of copy_tree, of rsync -a: {title}", _ratio(taken, _RSYNC), WANTED, at_least=True))
    return Section("Files brought back on a host", "\n\n".join(texts), checks)


def small_files(site: Path) -> int:
    """Ten thousand files of a site's many sizes, 13 kB in the middle; returns the bytes."""
    chance = random.Random(1)  # noqa: S311 - the same tree in each run
    noise = chance.randbytes(4 * _MEGABYTE)
    made = 0
    for number in range(SMALL_FILES):
        size = min(int(chance.lognormvariate(9.5, 1.6)), len(noise))
        begin = chance.randrange(len(noise) - size + 1)
        folder = site / f"folder{number % 12}" / f"deeper{number % 120}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}").write_bytes(noise[begin : begin + size])
        made += size
    return made


def large_file(site: Path) -> int:
    """One large file that no compression makes smaller; returns its bytes."""
    noise = random.Random(2).randbytes(32 * _MEGABYTE)  # noqa: S311
    with (site / "large").open("wb") as file:
        for number in range(LARGE_MEGABYTES // 32):
            file.write(noise[number:] + noise[:number])
    return LARGE_MEGABYTES * _MEGABYTE


def _rounds(bench: Bench, say: Callable[[str], None]) -> dict[str, list[Taken]]:
    taken: dict[str, list[Taken]] = {name: [] for name in bench.commands}
    for turn in range(ROUNDS):
        names = [*bench.commands][turn % 3 :] + [*bench.commands][: turn % 3]
        for name in names:
            taken[name].append(bench.run(name))
        say(f"round {turn + 1}: " + "  ".join(f"{name} {taken[name][-1].wall:.2f} s" for name in taken))
    return taken


def _ratio(taken: dict[str, list[Taken]], name: str) -> float:
    """Speed of copy_tree as a share of the speed of a bare tool."""
    return median(bare.wall / ours.wall for bare, ours in zip(taken[name], taken[_OURS], strict=True))


def _table(size: int, taken: dict[str, list[Taken]]) -> str:
    rows = [
        (
            name,
            median(one.wall for one in runs),
            median(one.cpu for one in runs),
            size / median(one.wall for one in runs) / _MEGABYTE,
            1.0 if name == _OURS else _ratio(taken, name),
        )
        for name, runs in taken.items()
    ]
    return table(("way", "wall, s", "CPU-s", "MiB/s", "speed of copy_tree, of this"), rows)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
