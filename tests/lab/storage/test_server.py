"""The lab's S3: it keeps what it acknowledged, checks signatures, and its conditional writes are atomic."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from botocore.exceptions import ClientError

from lab.settings import REGION
from lab.storage.readiness import ensure_bucket
from lab.testing.cloud import LabCloud
from lab.testing.deadlines import pace, within
from lab.testing.server import new_settings
from lab.testing.storage import LabStorage

pytestmark = pytest.mark.lab

WRITERS = 20


@dataclass(frozen=True)
class Bucket:
    """A bucket of one of the lab's S3 servers."""

    s3: Any
    name: str

    def put(self, key: str, text: str, **conditions: str) -> bool:
        """Write an object; False when its condition does not hold."""
        try:
            self.s3.put_object(Bucket=self.name, Key=key, Body=text.encode(), **conditions)
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return False
        return True

    def get(self, key: str) -> tuple[str, str]:
        """An object's text and ETag."""
        found = self.s3.get_object(Bucket=self.name, Key=key)
        return found["Body"].read().decode(), found["ETag"]


@pytest.fixture(params=["seaweedfs", "moto"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """A bucket of the lab's S3, and one of the S3 that moto serves beside the lab's EC2."""
    if request.param == "seaweedfs":
        storage: LabStorage = request.getfixturevalue("lab_storage")
        return Bucket(storage.client(), storage.bucket)
    cloud: LabCloud = request.getfixturevalue("lab_cloud")
    found = Bucket(cloud.client("s3", max_pool_connections=WRITERS), f"vault-{uuid4().hex}")
    found.s3.create_bucket(Bucket=found.name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return found


def test_of_many_who_create_the_same_object_exactly_one_wins(bucket: Bucket) -> None:
    key, start = f"{uuid4().hex}/manifest.json", threading.Barrier(WRITERS)

    def create(writer: int) -> bool:
        start.wait(within(30))
        return bucket.put(key, str(writer), IfNoneMatch="*")

    with ThreadPoolExecutor(WRITERS) as threads:
        won = list(threads.map(create, range(WRITERS)))
    assert won.count(True) == 1
    assert bucket.get(key)[0] == str(won.index(True))


def test_compare_and_swap_loses_no_update(bucket: Bucket) -> None:
    key, rounds = f"{uuid4().hex}/counter", 3
    bucket.put(key, "0")

    def count_up(_: int) -> None:
        for _ in range(rounds):
            swapped = False
            while not swapped:
                text, etag = bucket.get(key)
                swapped = bucket.put(key, str(int(text) + 1), IfMatch=etag)

    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(count_up, range(WRITERS)))
    assert bucket.get(key)[0] == str(WRITERS * rounds)


def test_a_wrong_secret_is_refused(lab_storage: LabStorage) -> None:
    stranger = lab_storage.client(aws_secret_access_key="wrong")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.list_objects_v2(Bucket=lab_storage.bucket)


def test_damaged_content_is_refused(lab_storage: LabStorage) -> None:
    with pytest.raises(ClientError, match=r"BadDigest|Checksum"):
        lab_storage.client().put_object(
            Bucket=lab_storage.bucket, Key=f"{lab_storage.new_prefix()}x", Body=b"abc", ChecksumSHA256="A" * 43 + "="
        )


def test_the_vaults_bucket_is_made_once_and_without_versions(lab_storage: LabStorage) -> None:
    ensure_bucket(lab_storage.settings)
    s3, key = lab_storage.client(), f"{lab_storage.new_prefix()}x"
    assert "Status" not in s3.get_bucket_versioning(Bucket=lab_storage.bucket)
    assert "VersionId" not in s3.put_object(Bucket=lab_storage.bucket, Key=key, Body=b"")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.put_object(Bucket="nobody-made-this", Key=key, Body=b"")


def test_acknowledged_objects_survive_a_kill_and_no_weed_is_orphaned(lab_storage: LabStorage) -> None:
    bucket, prefix = Bucket(lab_storage.client(), lab_storage.bucket), lab_storage.new_prefix()
    for number in range(40):
        bucket.put(f"{prefix}{number}", str(number) * 1000)
    weeds = psutil.Process(lab_storage.pid).children()
    lab_storage.kill()
    gone, alive = psutil.wait_procs(weeds, timeout=within(5))
    assert (len(gone), alive) == (1, [])
    lab_storage.start()
    for number in range(40):
        assert bucket.get(f"{prefix}{number}")[0] == str(number) * 1000


def test_sigterm_ends_the_storage_within_eight_seconds_and_leaves_nothing(tmp_path: Path) -> None:
    storage = LabStorage(new_settings(tmp_path))
    storage.start()
    weeds = psutil.Process(storage.pid).children()
    began = time.monotonic()
    storage.stop()
    assert time.monotonic() - began < 8 * pace()
    assert weeds
    assert not any(weed.is_running() for weed in weeds)
    ports = range(storage.settings.port_base, storage.settings.port_base + 30)
    assert [file for port in ports for file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")] == []
