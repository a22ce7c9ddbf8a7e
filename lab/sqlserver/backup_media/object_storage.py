"""Backups as objects of an S3 store: multipart uploads out, streams in.

A URL is `s3://host:port/bucket/key`. A real server speaks HTTPS to it and nothing else; the lab's store has plain HTTP
on loopback.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lab.settings import HOST, REGION, SQL_SERVER_AGENT
from lab.sqlserver.engine.credentials import Credential
from lab.sqlserver.errors import SqlServerError

log = logging.getLogger(__name__)

MIN_PART, MAX_PART = 5 * 1024 * 1024, 20 * 1024 * 1024
_SCHEME = "s3://"
_CONFIG = Config(
    user_agent=SQL_SERVER_AGENT,  # and nothing else: botocore puts its own together anew for each call
    parameter_validation=False,  # all of them are made here
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    connect_timeout=5,
    read_timeout=30,
    retries={"total_max_attempts": 3, "mode": "standard"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    proxies={},
    max_pool_connections=64,  # a connection for each stripe of the backups under way
)
_making_client = threading.Lock()  # boto3's default session is not made for threads
_NOT_SUPPORTED = "50(The request is not supported.)"
_SYSTEM_ERRORS = {
    "403": "5(Access is denied.)",
    "AccessDenied": "5(Access is denied.)",
    "InvalidAccessKeyId": "5(Access is denied.)",
    "SignatureDoesNotMatch": "5(Access is denied.)",
    "404": "2(The system cannot find the file specified.)",
    "NoSuchKey": "2(The system cannot find the file specified.)",
}


class ObjectTarget:
    """A multipart upload: parts of `part_size` bytes, the object visible only when it is complete."""

    def __init__(self, url: str, credential: Credential | None, overwrite: bool, part_size: int) -> None:
        if not MIN_PART <= part_size <= MAX_PART:
            raise SqlServerError(3202, url, "87(The parameter is incorrect.)")
        self.name, self._part_size = url, part_size
        self._client, self._place = _open(url, credential)
        if not overwrite and self._exists():
            raise SqlServerError(3296, url)
        with _errors_as(3201, url):
            self._upload: str = self._client.create_multipart_upload(**self._place)["UploadId"]
        self._parts: list[dict[str, Any]] = []
        self._buffer = bytearray()

    def write(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= self._part_size:
            self._send_part(self._part_size)

    def complete(self) -> None:
        self._send_part(len(self._buffer))
        with _errors_as(3202, self.name):
            self._client.complete_multipart_upload(
                **self._place, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
            )

    def abort(self) -> None:
        try:
            self._client.abort_multipart_upload(**self._place, UploadId=self._upload)
        except (BotoCoreError, ClientError) as error:
            log.warning(
                "The upload of %s could not be aborted; its parts stay until a lifecycle rule removes them: %s",
                self.name,
                error,
            )

    def _send_part(self, size: int) -> None:
        number = len(self._parts) + 1
        with _errors_as(3202, self.name):
            answer = self._client.upload_part(
                **self._place, UploadId=self._upload, PartNumber=number, Body=bytes(self._buffer[:size])
            )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        del self._buffer[:size]

    def _exists(self) -> bool:
        try:
            self._client.head_object(**self._place)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise SqlServerError(3201, self.name, _system_error(error, self.name)) from None
        except BotoCoreError as error:
            raise SqlServerError(3201, self.name, _system_error(error, self.name)) from None
        return True


class ObjectSource:
    """An object, read as a stream."""

    def __init__(self, url: str, credential: Credential | None) -> None:
        self.name = url
        self._client, self._place = _open(url, credential)
        with _errors_as(3201, url, state=2):
            self._body = self._client.get_object(**self._place)["Body"]

    def read(self, size: int) -> bytes:
        data = bytearray()
        with _errors_as(3203, self.name):
            while len(data) < size and (chunk := self._body.read(size - len(data))):
                data += chunk
        return bytes(data)

    def tail(self, size: int) -> bytes:
        with _errors_as(3203, self.name):
            answer = self._client.get_object(**self._place, Range=f"bytes=-{size}")
            return bytes(answer["Body"].read())

    def close(self) -> None:
        self._body.close()


def _open(url: str, credential: Credential | None) -> tuple[Any, dict[str, str]]:
    """A client for the URL's endpoint, and the URL's bucket and key. Without a credential there is no way in: 3201."""
    host, _, path = url.removeprefix(_SCHEME).partition("/")
    bucket, _, key = path.partition("/")
    if credential is None or not (url.lower().startswith(_SCHEME) and bucket and key):
        raise SqlServerError(3201, url, _NOT_SUPPORTED)
    with _making_client:
        client = _client(host, credential.secret)
    return client, {"Bucket": bucket, "Key": key}


def load_client_code() -> None:
    """Read what clients are made of: a process that forks others reads it for all of them."""
    _client(HOST, "")


@lru_cache(maxsize=16)
def _client(host: str, secret: str) -> Any:
    """One for all devices of an endpoint and a credential: clients may be shared, and making one takes long."""
    access_key, _, secret_key = secret.partition(":")
    return boto3.client(
        "s3",
        endpoint_url=f"http://{host}",
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=_CONFIG,
    )


@contextmanager
def _errors_as(number: int, url: str, state: int = 1) -> Iterator[None]:
    """The store's errors as SQL Server's error `number`."""
    try:
        yield
    except (BotoCoreError, ClientError, OSError) as error:
        raise SqlServerError(number, url, _system_error(error, url), state=state) from None


def _system_error(error: Exception, url: str) -> str:
    """What SQL Server calls a store's answer; a missing bucket and all that is unknown are 'not supported'."""
    log.warning("%s: %s", url, error)
    if isinstance(error, ClientError):
        return _SYSTEM_ERRORS.get(error.response["Error"].get("Code", ""), _NOT_SUPPORTED)
    return "64(The specified network name is no longer available.)"
