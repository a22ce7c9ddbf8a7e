"""`python -m bench.storage_door`: how fast the lab's S3 is through its door and past it: 256 MiB, and small calls."""

from __future__ import annotations

import io
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from boto3.s3.transfer import TransferConfig

from lab.settings import HOST, VAULT_BUCKET
from lab.storage.weed import inner_s3_port
from lab.testing.server import new_settings
from lab.testing.storage import LabStorage

MIB = 1024 * 1024
SIZE = 256
SMALL_CALLS = 800


def main() -> None:
    """Start a lab S3 of its own, measure, print, stop it."""
    with tempfile.TemporaryDirectory() as folder, LabStorage(new_settings(Path(folder))) as storage:
        ports = {
            "past the door": inner_s3_port(storage.settings),
            "through the door": storage.settings.storage_port,
        }
        door = psutil.Process(storage.pid)
        for _ in range(2):  # the first round also fills weed's caches
            for name, port in ports.items():
                s3 = storage.client(endpoint_url=f"http://{HOST}:{port}")
                up, down = _measure_large(s3)
                busy = _cpu_seconds(door)
                calls = _measure_small(s3)
                each = 1000 * (_cpu_seconds(door) - busy) / SMALL_CALLS
                speed = f"{up:6.0f} MiB/s up {down:6.0f} MiB/s down {calls:6.0f} small calls/s"
                print(f"{name:<18}{speed}, {each:.2f} ms of the door's CPU each")
        print(f"memory of the door {door.memory_info().rss / MIB:5.0f} MiB")


def _measure_large(s3: Any) -> tuple[float, float]:
    """MiB in a second up and down."""
    transfer = TransferConfig(multipart_chunksize=16 * MIB, max_concurrency=4)
    began = time.monotonic()
    s3.upload_fileobj(io.BytesIO(os.urandom(MIB) * SIZE), VAULT_BUCKET, "bench", Config=transfer)
    uploaded = time.monotonic()
    for _ in s3.get_object(Bucket=VAULT_BUCKET, Key="bench")["Body"].iter_chunks(MIB):
        pass
    return SIZE / (uploaded - began), SIZE / (time.monotonic() - uploaded)


def _measure_small(s3: Any) -> float:
    """Calls in a second, one after the other, that write and read objects of a manifest's size."""
    began = time.monotonic()
    for _ in range(SMALL_CALLS // 2):
        s3.put_object(Bucket=VAULT_BUCKET, Key="small", Body=b"x" * 2000)
        s3.get_object(Bucket=VAULT_BUCKET, Key="small")["Body"].read()
    return SMALL_CALLS / (time.monotonic() - began)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    main()
