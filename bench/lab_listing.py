"""`python -m bench.lab_listing`: how long a page of 5,000 snapshots takes, and how long up and down take."""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import boto3

from lab.settings import REGION, ZONE, LabSettings
from lab.testing.command import run_lab
from lab.testing.server import new_settings

SNAPSHOTS, PAGE, THREADS = 5000, 1000, 8
UNLIMITED = {"PERENNIAL_LAB_RATES": "", "PERENNIAL_LAB_SNAPSHOT_INTERVAL_SECONDS": "0"}
TAGS = [{"Key": f"perennial:{name}", "Value": "acme"} for name in ("vault", "tenant", "recovery-point")]


def main() -> None:
    """Start a lab of its own, measure, print, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = new_settings(Path(folder))
        os.environ |= UNLIMITED | {"PERENNIAL_LAB_SNAPSHOT_SECONDS": "0"}
        try:
            print(f"up   {_timed_command(settings, 'up'):6.1f} s   (at most 15)")
            _list(settings)
        finally:
            print(f"down {_timed_command(settings, 'down'):6.1f} s   (at most 10)")


def _timed_command(settings: LabSettings, command: str) -> float:
    began = time.monotonic()
    run_lab(settings, command).check_returncode()
    return time.monotonic() - began


def _list(settings: LabSettings) -> None:
    ec2 = boto3.client(
        "ec2",
        endpoint_url=settings.cloud_url,
        region_name=REGION,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
    )
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    tags = [{"ResourceType": "snapshot", "Tags": TAGS}]
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags), range(SNAPSHOTS)))
    print(f"{SNAPSHOTS} snapshots made in {time.monotonic() - began:.0f} s")
    for name, filters in (
        ("all", []),
        ("by tag", [{"Name": "tag:perennial:tenant", "Values": ["acme"]}]),
    ):
        pages, sizes = [], []
        began = time.monotonic()
        for page in ec2.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"], Filters=filters, PaginationConfig={"PageSize": PAGE}
        ):
            pages.append(time.monotonic() - began)
            sizes.append(len(page["Snapshots"]))
            began = time.monotonic()
        spread = f"median {1000 * median(pages):.0f} ms, slowest {1000 * max(pages):.0f} ms"
        print(f"{name:<7}{len(pages)} pages of {max(sizes)}: {spread}   (at most 400)")


if __name__ == "__main__":
    main()
