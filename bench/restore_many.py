"""The files of ten tenants of one host brought back at once: by the product's steps, in turn, and by a bare script.

The host's sites share one volume, and all volumes of the restores are attached to this one host, whose device names are
few. AWS's spacing of snapshots of one volume is off: that is the fleet's part.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measuring.alone import Work, run_alone
from bench.results import Check, Section, table
from bench.stored_sites import Sites, store_sites
from bench.trial import fleet_size
from bench.vault_environment import vault_environment
from lab.testing.cloud import LabCloud
from lab.testing.server import new_settings
from lab.testing.storage import LabStorage

TENANTS = 10
LONGEST = 1_200
CONDITIONS = """{tenants} tenants of one host, whose sites share a volume; files in place, safety points and all checks.
The steps look again after up to 5 s, as shipped, the bare script after half a second; AWS's spacing of snapshots is
off. CPU is that of the Python process: what the host does (mount, copy) is in no column."""
WAYS = {
    "bare": "bare script, all at once",
    "together": "the product's steps, all at once",
    "in-turn": "the same, one after the other",
}


def measure(say: Callable[[str], None]) -> Section:
    """Wreck the sites before each way, and compare every byte after it."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        settings = new_settings(Path(folder))
        with LabStorage(settings) as storage, LabCloud(settings) as cloud:
            sites = store_sites(storage, cloud, fleet_size(TENANTS))
            say(f"{len(sites.tenants)} sites on one volume of one host")
            taken, wrong = {}, {}
            for way, title in WAYS.items():
                sites.wreck()
                taken[way] = _run(way, storage, cloud, sites)
                wrong[way] = sites.differing()
                say(f"{title}: {taken[way].wall:.1f} s, {json.dumps(taken[way].result)}, differing: {wrong[way]}")
            left = _left_over(cloud, sites)
    return _section(len(sites.tenants), taken, wrong, left)


def _run(way: str, storage: LabStorage, cloud: LabCloud, sites: Sites) -> Work:
    place = {
        "tenants": [tenant.id for tenant in sites.tenants],
        "instance": sites.instance,
        "snapshot": sites.snapshot,
        "root": str(cloud.host_path(sites.instance)),
        "folders": [str(folder) for folder in sites.folders.values()],
    }
    environment = vault_environment(storage.settings, f"{storage.bucket}/{sites.prefix.rstrip('/')}")
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "PERENNIAL_CONFIG": str(cloud.folder / "no register")}
    return run_alone("bench.restore_ways", way, json.dumps(place), environment=environment, seconds=LONGEST)


def _left_over(cloud: LabCloud, sites: Sites) -> list[str]:
    """Volumes made from the snapshot that are still there, attached or not."""
    made = [{"Name": "snapshot-id", "Values": [sites.snapshot]}]
    return [one["VolumeId"] for one in cloud.client("ec2").describe_volumes(Filters=made)["Volumes"]]


def _section(tenants: int, taken: dict[str, Work], wrong: dict[str, list[str]], left: list[str]) -> Section:
    rows = [(title, *_figures(taken[way], tenants), len(wrong[way])) for way, title in WAYS.items()]
    head = ("way", "wall, s", "CPU-s", "longest site offline, s", "requests per tenant", "failed", "differing")
    names = sorted({name for work in taken.values() for name in work.calls})
    calls = [(name, *(taken[way].calls[name] / tenants for way in WAYS)) for name in names]
    together, in_turn = taken["together"], taken["in-turn"]
    steps = [(name, together.result["steps"].get(name), seconds) for name, seconds in in_turn.result["steps"].items()]
    text = "\n\n".join(
        [
            CONDITIONS.format(tenants=tenants),
            table(head, rows),
            table(("requests per tenant", *WAYS.values()), calls),
            table(("longest of a step, s", "all at once", "one after the other"), steps),
        ]
    )
    checks = [
        Check("sites that differ afterwards, of all ways", sum(map(len, wrong.values())), 0),
        Check("restores that failed, of all ways", sum(len(work.result["failures"]) for work in taken.values()), 0),
        Check("volumes left", len(left), 0),
        Check("wall of all at once, of one after the other", together.wall / in_turn.wall, 0.5),
    ]
    return Section("Restore of ten tenants of one host", text, checks)


def _figures(work: Work, tenants: int) -> tuple[Any, ...]:
    """Wall, CPU, the longest that a site was offline (None of the script), requests per tenant, failures."""
    failures = len(work.result["failures"])
    return work.wall, work.cpu, work.result.get("offline"), work.calls.total() / tenants, failures
