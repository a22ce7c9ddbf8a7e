"""The lab's own backup format: what a .bak of the stand-in holds, written and read as a stream.

    PERENBAK                            8 bytes
    header      <length><JSON><CRC32>   what RESTORE HEADERONLY and FILELISTONLY show, except what only the end knows
    block       <raw size><stored size><CRC32><bytes>, repeated; a raw size of 0 ends them
    trailer     <JSON><CRC32><length>   what only the end knows: finish date, sizes
    KABNEREP                            8 bytes

Numbers are unsigned 32-bit, little-endian. Each block is compressed by itself (or not at all), so neither side ever
holds more than one. Block CRCs are those of WITH CHECKSUM: without it they are 0 and nobody looks at them.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

from lab.sqlserver.errors import SqlServerError

MAGIC, END_MAGIC = b"PERENBAK", b"KABNEREP"
BLOCK_SIZE = 256 * 1024
TAIL_SIZE = 4096  # bytes at the end of a file that surely hold the whole trailer
_COMPRESSION_LEVEL = 1
_MAX_HEADER = 1024 * 1024
_NUMBER = struct.Struct("<I")
_BLOCK = struct.Struct("<III")
_END_OF_FILE = "38(Reached the end of the file.)"


class Target(Protocol):
    """Somewhere a backup is written to; nothing is there until `complete`."""

    def write(self, data: bytes) -> None: ...
    def complete(self) -> None: ...
    def abort(self) -> None: ...


class Source(Protocol):
    """Somewhere a backup is read from. `read` returns fewer bytes than asked for only at the end."""

    name: str

    def read(self, size: int) -> bytes: ...
    def tail(self, size: int) -> bytes: ...
    def close(self) -> None: ...


class BackupWriter:
    """Writes one backup; `written` counts the bytes."""

    def __init__(self, target: Target, header: dict[str, Any]) -> None:
        self._target = target
        self._compressed, self._checksums = bool(header["Compressed"]), bool(header["HasBackupChecksums"])
        self.written = 0
        text = json.dumps(header).encode()
        self._write(MAGIC + _NUMBER.pack(len(text)) + text + _NUMBER.pack(zlib.crc32(text)))

    def block(self, raw: bytes) -> None:
        """Write one block of at most BLOCK_SIZE bytes."""
        stored = zlib.compress(raw, _COMPRESSION_LEVEL) if self._compressed else raw
        self._write(_BLOCK.pack(len(raw), len(stored), zlib.crc32(stored) if self._checksums else 0) + stored)

    def finish(self, trailer: dict[str, Any]) -> None:
        text = json.dumps(trailer).encode()
        self._write(_BLOCK.pack(0, 0, 0) + text + _NUMBER.pack(zlib.crc32(text)) + _NUMBER.pack(len(text)) + END_MAGIC)

    def _write(self, data: bytes) -> None:
        self.written += len(data)
        self._target.write(data)


class BackupReader:
    """Reads one backup from its beginning.

    Raises SqlServerError: 3241 for what is no backup at all, 3203 for one that ends too early, 3189 for one that has
    changed since it was written.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        if source.read(len(MAGIC)) != MAGIC:
            raise SqlServerError(3241, source.name)
        (length,) = _NUMBER.unpack(self._exactly(_NUMBER.size))
        if length > _MAX_HEADER:
            raise SqlServerError(3241, source.name)
        text = self._exactly(length)
        if _NUMBER.unpack(self._exactly(_NUMBER.size))[0] != zlib.crc32(text):
            raise SqlServerError(3241, source.name)
        self.header: dict[str, Any] = json.loads(text)

    def blocks(self) -> Iterator[bytes]:
        """The database's bytes, block by block; at the end, that the trailer is there and whole."""
        while True:
            raw_size, stored_size, checksum = _BLOCK.unpack(self._exactly(_BLOCK.size))
            if raw_size == 0:
                break
            if raw_size > BLOCK_SIZE or stored_size > 2 * BLOCK_SIZE:
                raise SqlServerError(3189)
            yield self._raw(self._exactly(stored_size), raw_size, checksum)
        parse_trailer(self._source.name, self._source.read(TAIL_SIZE))

    def trailer(self) -> dict[str, Any]:
        """What only the end of the file knows, without reading what lies between."""
        return parse_trailer(self._source.name, self._source.tail(TAIL_SIZE))

    def _raw(self, stored: bytes, raw_size: int, checksum: int) -> bytes:
        if self.header["HasBackupChecksums"] and zlib.crc32(stored) != checksum:
            raise SqlServerError(3189)
        try:
            raw = zlib.decompress(stored) if self.header["Compressed"] else stored
        except zlib.error:
            raise SqlServerError(3189) from None
        if len(raw) != raw_size:
            raise SqlServerError(3189)
        return raw

    def _exactly(self, size: int) -> bytes:
        data = self._source.read(size)
        if len(data) < size:
            raise SqlServerError(3203, self._source.name, _END_OF_FILE)
        return data


def parse_trailer(name: str, tail: bytes) -> dict[str, Any]:
    """The trailer at the end of `tail`. Raises SqlServerError 3203 where it is missing, 3189 where it is damaged."""
    if not tail.endswith(END_MAGIC):
        raise SqlServerError(3203, name, _END_OF_FILE)
    end = len(tail) - len(END_MAGIC)
    checksum, length = struct.unpack("<II", tail[end - 8 : end])
    text = tail[max(end - 8 - length, 0) : end - 8]
    if zlib.crc32(text) != checksum:
        raise SqlServerError(3189)
    trailer: dict[str, Any] = json.loads(text)
    return trailer
