"""How fast copy_tree brings a tree of files back, beside the bare tools on the same tree in the same run.

    PYTHONPATH=.:plugins python -m bench.restore_files [MEGABYTES]      400 if nothing is said

What is timed is the whole script by itself, without SSM: finding and mounting the disk (the lab's host tools), copying,
its checks, counting. Beside it stand `rsync -a` and `cp -a`, which check nothing afterwards. All three begin with an
empty target and a source in memory (so that what is compared is the work, not the disk's mood), and end when the target
is on the disk (`sync -f`). Five rounds, one run of each in each, in changing order; the ratio is the median of the
rounds' ratios.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from include.rules.register.tenants import Platform
from lab.cloud.hosts import host_environment
from perennial.hooks.aws.host_scripts import script_lines

ROUNDS, WANTED = 5, 0.9
_MEGABYTE = 1_048_576
_VOLUME = "vol-0123456789abcdef0"


class Bench:
    """A host of the lab with one attached volume, without the servers around it."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.host, self.source = folder / "host", folder / _VOLUME / "site"
        self.target = self.host / "srv" / "site"
        for path in (self.source, self.target.parent, self.host / "dev", self.host / "tmp"):
            path.mkdir(parents=True)
        (self.host / "dev" / "sdf").symlink_to(self.source.parent)
        self.bytes = _fill(self.source, megabytes * _MEGABYTE)
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
            "copy_tree": f"/bin/sh '{script}'",
            "rsync -a": f"rsync -a '{self.source}/' '{self.target}/' {synced}",
            "cp -a": f"cp -a '{self.source}/.' '{self.target}/' {synced}",
        }

    def seconds(self, name: str) -> float:
        """Run one of the commands on an empty target."""
        shutil.rmtree(self.target, ignore_errors=True)
        self.target.mkdir()
        os.sync()
        began = time.monotonic()
        done = subprocess.run(
            ["/bin/sh", "-c", self.commands[name]], env=host_environment(self.host), stdout=subprocess.PIPE, check=True
        )
        took = time.monotonic() - began
        if name == "copy_tree" and json.loads(done.stdout)["bytes"] != self.bytes:
            raise RuntimeError(f"copy_tree copied other bytes than {self.bytes}: {done.stdout!r}")
        return took


def _fill(site: Path, wanted: int) -> int:
    """A site's tree: half of the bytes in small files of many sizes, half in files of 32 MiB; returns the bytes."""
    chance = random.Random(1)  # noqa: S311 - the same tree in each run
    noise = chance.randbytes(32 * _MEGABYTE)
    made = number = 0
    while made < wanted:
        size = len(noise) if made > wanted // 2 else min(int(chance.lognormvariate(9.5, 1.6)), 4 * _MEGABYTE)
        begin = chance.randrange(len(noise) - size + 1)
        folder = site / f"folder{number % 12}" / f"deeper{number % 120}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number}").write_bytes(noise[begin : begin + size])
        made, number = made + size, number + 1
    return made


def main() -> None:
    """Measure, print, and fail when the script is slower than wanted."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        bench = Bench(Path(folder), megabytes)
        taken: dict[str, list[float]] = {name: [] for name in bench.commands}
        for turn in range(ROUNDS):
            names = [*bench.commands][turn % 3 :] + [*bench.commands][: turn % 3]
            for name in names:
                taken[name].append(bench.seconds(name))
            speeds = "  ".join(f"{name} {bench.bytes / taken[name][-1]:>13,.0f} B/s" for name in taken)
            print(f"round {turn + 1}: {speeds}", flush=True)
    ratios = {}
    for name in ("rsync -a", "cp -a"):
        ratios[name] = median(bare / ours for bare, ours in zip(taken[name], taken["copy_tree"], strict=True))
        print(f"copy_tree has {ratios[name]:.2f} of the speed of {name} (median of {ROUNDS})")
    print(f"wanted: at least {WANTED} of rsync -a")
    if ratios["rsync -a"] < WANTED:
        sys.exit(1)


if __name__ == "__main__":
    main()
