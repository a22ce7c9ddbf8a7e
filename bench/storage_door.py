"""`python -m bench.storage_door`: how fast 256 MiB go to the lab's S3 and back, through its door and past it."""

from __future__ import annotations

import io
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
import psutil
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from lab.settings import HOST, REGION, VAULT_BUCKET
from lab.storage.server import inner_s3_port
from lab.testing.server import new_settings
from lab.testing.storage import LabStorage

MIB = 1024 * 1024
SIZE = 256


def main() -> None:
    """Start a lab S3 of its own, measure, print, stop it."""
    with tempfile.TemporaryDirectory() as folder, LabStorage(new_settings(Path(folder))) as storage:
        ports = {
            "past the door": inner_s3_port(storage.settings),
            "through the door": storage.settings.storage_port,
        }
        for _ in range(2):  # the first round also fills weed's caches
            for name, port in ports.items():
                up, down = _measure(_client(storage, port))
                print(f"{name:<18}{up:6.0f} MiB/s up {down:6.0f} MiB/s down")
        rss = psutil.Process(storage.pid).memory_info().rss
        print(f"memory of the door {rss / MIB:5.0f} MiB")


def _client(storage: LabStorage, port: int) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}:{port}",
        region_name=REGION,
        aws_access_key_id=storage.settings.access_key,
        aws_secret_access_key=storage.settings.secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )


def _measure(s3: Any) -> tuple[float, float]:
    transfer = TransferConfig(multipart_chunksize=16 * MIB, max_concurrency=4)
    began = time.monotonic()
    s3.upload_fileobj(io.BytesIO(os.urandom(MIB) * SIZE), VAULT_BUCKET, "bench", Config=transfer)
    uploaded = time.monotonic()
    for _ in s3.get_object(Bucket=VAULT_BUCKET, Key="bench")["Body"].iter_chunks(MIB):
        pass
    return SIZE / (uploaded - began), SIZE / (time.monotonic() - uploaded)


if __name__ == "__main__":
    main()
