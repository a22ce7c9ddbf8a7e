"""Retention of 1,000 tenants with 60 recovery points each, read from a real object store, beside plain reading.

Servers have 50 tenants each, which share the snapshots of a web volume and of a database volume. The vault is the
lab's S3 (SeaweedFS, by its door), the account the lab's cloud without its rates. Every tenant has one point that
expires today and one whose grace is over, as on every day of its life. Then the same tenants with a web volume of each
one's own and fewer points: a snapshot of each goes on the day.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.loop_watchdog import LONGEST_MS, VARIABLE, LongCallback, count_too_long, is_watched, long_callbacks, report
from bench.measuring.alone import Work, run_alone
from bench.results import Check, Section, table
from bench.stored_fleet import StoredFleet, store_fleet
from bench.trial import fleet_size
from bench.vault_environment import vault_environment
from lab.testing.cloud import LabCloud
from lab.testing.server import new_settings
from lab.testing.storage import LabStorage

TENANTS, POINTS, SHARERS, EXAMPLES = 1_000, 60, 50, 10
POINTS_OF_OWN = 12
"""More than ten live ones, of which one expires: at a tenth of the fleet retention asks a person."""
SECONDS, MEMORY = 120, 600
DEEDS = ("kept", "marked", "deleted")
LONGEST = 1_500
"""Seconds after which one of the ways is given up."""
WAYS = {
    "listing": "keys listed, nothing read",
    "plain": "every manifest read by a plain script, 64 at a time",
    "dry": "retention, dry run",
    "act": "retention, carried out",
}
OF_PRODUCT = ("dry", "act", "own")
OWN = f"retention, carried out, web volumes of their own, {POINTS_OF_OWN} points each"


def measure(say: Callable[[str], None]) -> Section:
    """Seed, run all ways on the same vault, one after the other, each in a process of its own."""
    tenants = fleet_size(TENANTS)
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
        settings = new_settings(Path(folder))
        with LabStorage(settings) as storage, LabCloud(settings, snapshot_seconds=0.0) as cloud:
            began = time.monotonic()
            servers = max(1, tenants // SHARERS)
            fleet = store_fleet(storage, cloud, tenants, POINTS, servers)
            say(f"{tenants * POINTS:,} recovery points stored in {time.monotonic() - began:.0f} s")
            taken = {}
            for way, title in WAYS.items():
                taken[way] = _run(way, Path(folder), storage, fleet)
                say(f"{title}: {taken[way].wall:.0f} s, {taken[way].cpu:.0f} CPU-s, {json.dumps(taken[way].result)}")
            fleet = store_fleet(storage, cloud, tenants, POINTS_OF_OWN, servers, own_web=True)
            taken["own"] = own = _run("own", Path(folder), storage, fleet)
            say(f"{OWN}: {own.wall:.0f} s, {own.cpu:.0f} CPU-s, {json.dumps(own.result)}")
            loops = _loops(Path(folder))
            callbacks = long_callbacks(loops) if is_watched(loops) else None
    return _section(tenants, taken, callbacks)


def _run(way: str, folder: Path, storage: LabStorage, fleet: StoredFleet) -> Work:
    entries = folder / "tenants.jsonl"
    entries.write_text("\n".join(tenant.model_dump_json() for tenant in fleet.tenants))
    environment = vault_environment(storage.settings, f"{storage.bucket}/{fleet.prefix.rstrip('/')}")
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    if way in OF_PRODUCT:
        environment[VARIABLE] = str(_loops(folder))
    return run_alone("bench.retention_ways", way, str(entries), environment=environment, seconds=LONGEST)


def _loops(folder: Path) -> Path:
    """Where the event loops of the product's runs are written down."""
    return folder / "loops"


def _section(tenants: int, taken: dict[str, Work], callbacks: list[LongCallback] | None) -> Section:
    """Args: callbacks: The long ones of the product's runs; None where nothing was watched."""
    head = ("way", "wall, s", "CPU-s", "largest process, MB", "S3 requests", "EC2 calls")
    ways = {**WAYS, "own": OWN}
    rows = [
        (title, work.wall, work.cpu, work.memory, _of(work, "s3:"), _of(work, "ec2:"))
        for way, title in ways.items()
        for work in [taken[way]]
    ]
    names = sorted({name for work in taken.values() for name in work.calls})
    calls = [(name, *(taken[way].calls[name] for way in ways)) for name in names]
    dry, act, plain, own = taken["dry"], taken["act"], taken["plain"], taken["own"]
    what = f"{tenants:,} tenants with {POINTS} recovery points each, {SHARERS} tenants to a server and its two volumes."
    ratios = (
        f"The dry run takes {dry.wall / plain.wall:.2f} of the wall and {dry.cpu / plain.cpu:.2f} of the CPU of plain "
        f"reading. Carried out: {json.dumps(act.result)}."
    )
    loops = f"Longest callbacks of retention in its event loop:\n\n{report(callbacks or (), EXAMPLES)}"
    text = "\n\n".join([what, table(head, rows), table(("requests", *ways.values()), calls), ratios, loops])
    checks = [
        Check("retention as a dry run, wall", dry.wall, SECONDS, " s"),
        Check("retention carried out, wall", act.wall, SECONDS, " s"),
        Check("web volumes of their own, wall", own.wall, SECONDS, " s"),
        Check("their shared snapshots deleted", own.result["shared_snapshots_deleted"], tenants, at_least=True),
        Check("the largest process", max(dry.memory, act.memory, own.memory), MEMORY, " MB"),
        Check(f"callbacks over {LONGEST_MS} ms", count_too_long(callbacks), 0),
        Check("things left to a person", act.result["not_done"] + own.result["not_done"], 0),
        Check("manifests read by the dry run", dry.calls["s3:GetObject"], tenants * POINTS, at_least=True),
        Check(
            "points kept, marked and deleted", sum(act.result[deed] for deed in DEEDS), tenants * POINTS, at_least=True
        ),
        Check("points marked, and points deleted", min(act.result[deed] for deed in DEEDS[1:]), tenants, at_least=True),
    ]
    return Section("Retention of a fleet", text, checks)


def _of(work: Work, service: str) -> int:
    return sum(count for name, count in work.calls.items() if name.startswith(service))
