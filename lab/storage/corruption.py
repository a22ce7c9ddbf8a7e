"""Damage to stored objects: what a bad disk or a bad copy does, for tests of who notices."""

from __future__ import annotations

import tempfile
from typing import Any


def flip_byte(s3: Any, bucket: str, key: str, offset: int) -> None:
    """Turn over all bits of one byte of an object; a negative `offset` counts from its end.

    The object is written again: its ETag and checksums are those of the damaged bytes, so that only whoever knows what
    was once written can notice.

    Args:
        s3: A boto3 client.

    Raises:
        ValueError: the object has no such byte.
    """
    head = s3.head_object(Bucket=bucket, Key=key)
    size = head["ContentLength"]
    if not -size <= offset < size:
        raise ValueError(f"{key} has {size} bytes, so there is no byte {offset} to damage.")
    with tempfile.TemporaryFile() as copy:
        s3.download_fileobj(bucket, key, copy)
        copy.seek(offset % size)
        byte = copy.read(1)[0]
        copy.seek(offset % size)
        copy.write(bytes([byte ^ 0xFF]))
        copy.seek(0)
        s3.upload_fileobj(copy, bucket, key, ExtraArgs={"Metadata": head["Metadata"]})
