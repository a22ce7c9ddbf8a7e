"""The lab's own backup format: what a .bak of the stand-in holds, written and read as a stream.

    PERENBAK                            8 bytes; of a file (not of an object) pERENBAK until it is complete
    header      <length><JSON><CRC32>   what RESTORE HEADERONLY and FILELISTONLY show, except what only the end knows
    block       <raw size><stored size><CRC32><bytes>, repeated; a raw size of 0 ends them
    trailer     <JSON><CRC32><length>   what only the end knows: finish date, sizes
    KABNEREP                            8 bytes

A backup on several devices is striped: all have the header and the trailer, the blocks go round. Numbers are unsigned
32-bit, little-endian. Each block is compressed by itself (or not at all), so neither side ever
holds more than one. Block CRCs are those of WITH CHECKSUM: without it they are 0 and nobody looks at them.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any, Protocol

from lab.sqlserver.errors import SqlServerError

MAGIC, UNFINISHED, END_MAGIC = b"PERENBAK", b"pERENBAK", b"KABNEREP"
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
    """Writes one backup to one target or, in stripes, to several; `written` counts the bytes."""

    def __init__(self, targets: Sequence[Target], header: dict[str, Any]) -> None:
        self._targets = targets
        self._next = cycle(targets)
        self._compressed, self._checksums = bool(header["Compressed"]), bool(header["HasBackupChecksums"])
        self.written = 0
        for number, target in enumerate(targets, start=1):
            text = json.dumps(header | {"FamilySequenceNumber": number, "FamilyCount": len(targets)}).encode()
            self._write(target, MAGIC + _NUMBER.pack(len(text)) + text + _NUMBER.pack(zlib.crc32(text)))

    def block(self, raw: bytes) -> None:
        """Write one block of at most BLOCK_SIZE bytes."""
        stored = zlib.compress(raw, _COMPRESSION_LEVEL) if self._compressed else raw
        checksum = zlib.crc32(stored) if self._checksums else 0
        self._write(next(self._next), _BLOCK.pack(len(raw), len(stored), checksum) + stored)

    def finish(self, trailer: dict[str, Any]) -> None:
        text = json.dumps(trailer).encode()
        for target in self._targets:
            self._write(
                target,
                _BLOCK.pack(0, 0, 0) + text + _NUMBER.pack(zlib.crc32(text)) + _NUMBER.pack(len(text)) + END_MAGIC,
            )

    def _write(self, target: Target, data: bytes) -> None:
        self.written += len(data)
        target.write(data)


class BackupReader:
    """Reads one backup from its beginning; `sources` are its stripes in any order.

    Raises SqlServerError: 3254 for an empty device, 3241 for what is no backup at all, 3256 for one that was never
    completed, 3203 for one that ends too early, 3189 for one that has changed since it was written. Where stripes do
    not belong together, 3132 if some are missing, 3227 if one came twice, 3258 if one is of another backup.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        headers = [(_header(source), source) for source in sources]
        self.header: dict[str, Any] = headers[0][0]
        stripes: dict[int, Source] = {}
        for header, source in headers:
            number = header["FamilySequenceNumber"]
            if header["BackupSetGUID"] != self.header["BackupSetGUID"]:
                raise SqlServerError(3258, source.name)
            if number in stripes:
                raise SqlServerError(3227, source.name, number, stripes[number].name)
            stripes[number] = source
        if len(stripes) < self.header["FamilyCount"]:
            raise SqlServerError(3132, self.header["FamilyCount"], len(stripes))
        self._stripes = [stripes[number] for number in sorted(stripes)]

    def blocks(self) -> Iterator[bytes]:
        """The backup's bytes, block by block; at the end, that every stripe's trailer is there and whole."""
        stripes = cycle(self._stripes)
        while (block := self._block(next(stripes))) is not None:
            yield block
        for _ in self._stripes[1:]:
            if self._block(next(stripes)) is not None:
                raise SqlServerError(3189)
        for source in self._stripes:
            parse_trailer(source.name, source.read(TAIL_SIZE))

    def trailer(self) -> dict[str, Any]:
        """What only the end of the file knows, without reading what lies between."""
        return parse_trailer(self._stripes[0].name, self._stripes[0].tail(TAIL_SIZE))

    def _block(self, source: Source) -> bytes | None:
        """The next block of a stripe, None behind the last."""
        raw_size, stored_size, checksum = _BLOCK.unpack(_exactly(source, _BLOCK.size))
        if raw_size == 0:
            return None
        if raw_size > BLOCK_SIZE or stored_size > 2 * BLOCK_SIZE:
            raise SqlServerError(3189)
        return self._raw(_exactly(source, stored_size), raw_size, checksum)

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


def _header(source: Source) -> dict[str, Any]:
    magic = source.read(len(MAGIC))
    if not magic:
        raise SqlServerError(3254, source.name)
    if magic == UNFINISHED:
        raise SqlServerError(3256, source.name)
    if magic != MAGIC:
        raise SqlServerError(3241, source.name)
    (length,) = _NUMBER.unpack(_exactly(source, _NUMBER.size))
    if length > _MAX_HEADER:
        raise SqlServerError(3241, source.name)
    text = _exactly(source, length)
    if _NUMBER.unpack(_exactly(source, _NUMBER.size))[0] != zlib.crc32(text):
        raise SqlServerError(3241, source.name)
    header: dict[str, Any] = json.loads(text)
    return header


def _exactly(source: Source, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise SqlServerError(3203, source.name, _END_OF_FILE)
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
