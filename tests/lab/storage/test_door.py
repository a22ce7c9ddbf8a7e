"""Fault rules of the lab's S3, and its door: what passes unchanged, and what a rule makes of it."""

from __future__ import annotations

import hashlib
import os
import time
from http.client import HTTPConnection
from typing import Any

import psutil
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, ConnectionClosedError

from lab.settings import HOST
from lab.storage.corruption import flip_byte
from lab.testing.deadlines import within
from lab.testing.storage import LabStorage

pytestmark = pytest.mark.lab

MIB = 1024 * 1024


def test_an_error_on_order_strikes_as_often_as_it_says(lab_storage: LabStorage) -> None:
    s3, key = lab_storage.client(), lab_storage.new_prefix() + "manifest.json"
    lab_storage.faults.add("s3:PutObject", code="SlowDown", message="as ordered", match=key)
    with pytest.raises(ClientError, match=r"SlowDown.*as ordered") as refused:
        s3.put_object(Bucket=lab_storage.bucket, Key=key, Body=b"x" * MIB)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    s3.put_object(Bucket=lab_storage.bucket, Key=key, Body=b"written")
    assert lab_storage.faults.hits() == [{"call": "s3:PutObject", "outcome": "SlowDown"}]


def test_a_lost_answer_leaves_the_object(lab_storage: LabStorage) -> None:
    s3, key = lab_storage.client(), lab_storage.new_prefix() + "manifest.json"
    lab_storage.faults.add("s3:PutObject", after=True, match=key)
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket=lab_storage.bucket, Key=key, Body=b"written", IfNoneMatch="*")
    assert _content(lab_storage, key) == b"written"
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=lab_storage.bucket, Key=key, Body=b"again", IfNoneMatch="*")


def test_a_dropped_call_leaves_nothing(lab_storage: LabStorage) -> None:
    s3, key = lab_storage.client(), lab_storage.new_prefix() + "manifest.json"
    lab_storage.faults.add("s3:PutObject", drop=True, match=key)
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket=lab_storage.bucket, Key=key, Body=b"lost")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=lab_storage.bucket, Key=key)


def test_a_slow_body_takes_its_time_in_both_directions(lab_storage: LabStorage) -> None:
    s3, key = lab_storage.client(), lab_storage.new_prefix() + "full-01.bak"
    lab_storage.faults.add("s3:*Object", bytes_per_second=200_000, times=2, match=key)
    began = time.monotonic()
    s3.put_object(Bucket=lab_storage.bucket, Key=key, Body=b"x" * 100_000)
    uploaded = time.monotonic()
    assert _content(lab_storage, key) == b"x" * 100_000
    assert uploaded - began >= 0.4
    assert time.monotonic() - uploaded >= 0.4


def test_a_delay_can_outlast_a_clients_patience(lab_storage: LabStorage) -> None:
    key = lab_storage.new_prefix() + "manifest.json"
    lab_storage.faults.add("s3:GetObject", delay=1.0, match=key)
    connection = HTTPConnection(HOST, lab_storage.settings.storage_port, timeout=0.3)
    connection.request("GET", f"/{lab_storage.bucket}/{key}")
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()


def test_a_rule_of_the_clouds_is_refused(lab_storage: LabStorage) -> None:
    with pytest.raises(ValueError, match=r"No rule was added: this server knows no lag"):
        lab_storage.faults.add("s3:ListObjectsV2", lag=5)


def test_many_calls_share_one_connection(lab_storage: LabStorage) -> None:
    connection = HTTPConnection(HOST, lab_storage.settings.storage_port, timeout=within(10))
    sockets = set()
    for _ in range(3):
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        sockets.add(connection.sock.getsockname() if connection.sock else None)
    connection.close()
    assert len(sockets) == 1
    assert None not in sockets


def test_a_large_file_passes_unchanged_and_is_never_held_in_memory(lab_storage: LabStorage) -> None:
    """200 MiB in parts of 16 MiB, eight at once: more than the door may grow by."""
    s3, key = lab_storage.client(), lab_storage.new_prefix() + "full-01.bak"
    door = psutil.Process(lab_storage.pid)
    before = door.memory_info().rss
    source = _Pattern(200 * MIB)
    transfer = TransferConfig(multipart_threshold=16 * MIB, multipart_chunksize=16 * MIB, max_concurrency=8)
    s3.upload_fileobj(source, lab_storage.bucket, key, Config=transfer)
    found = hashlib.sha256()
    for piece in s3.get_object(Bucket=lab_storage.bucket, Key=key)["Body"].iter_chunks(MIB):
        found.update(piece)
    assert found.hexdigest() == source.digest.hexdigest()
    assert door.memory_info().rss - before < 100 * MIB
    s3.delete_object(Bucket=lab_storage.bucket, Key=key)


def test_a_flipped_byte_changes_one_byte_and_nothing_else(lab_storage: LabStorage) -> None:
    s3, key = lab_storage.client(), lab_storage.new_prefix() + "full-01.bak"
    written = os.urandom(1000)
    s3.put_object(Bucket=lab_storage.bucket, Key=key, Body=written, Metadata={"tenant": "acme"})
    flip_byte(s3, lab_storage.bucket, key, -1)
    found = _content(lab_storage, key)
    assert (found[:-1], found[-1]) == (written[:-1], written[-1] ^ 0xFF)
    assert s3.head_object(Bucket=lab_storage.bucket, Key=key)["Metadata"] == {"tenant": "acme"}
    with pytest.raises(ValueError, match="no byte 1000"):
        flip_byte(s3, lab_storage.bucket, key, 1000)


class _Pattern:
    """A file of random bytes that exists only while it is read."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._block = os.urandom(MIB)
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        self._left -= wanted
        piece = (self._block * (wanted // MIB + 1))[:wanted]
        self.digest.update(piece)
        return piece


def _content(storage: LabStorage, key: str) -> Any:
    return storage.client().get_object(Bucket=storage.bucket, Key=key)["Body"].read()
