"""SQLite's write-ahead log as it lies on disk: how far it is committed, and the pages in it.

Formats: https://www.sqlite.org/walformat.html and https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.sqlserver.engine.databases import PAGE_SIZE

_HEADER, _FRAME = 32, struct.Struct(">II16x")
_INDEX = struct.Struct("=16xI12x8s8x")  # of the index's header, what matters here: committed frames and salts


@dataclass(frozen=True)
class Position:
    """How far a write-ahead log is committed. Its salts change whenever it begins anew."""

    salts: bytes = bytes(8)
    frame: int = 0


def committed_position(data_file: Path) -> Position:
    """How far the write-ahead log beside `data_file` is committed, after its index (two equal copies of a header)."""
    try:
        with data_file.with_name(data_file.name + "-shm").open("rb") as index:
            while True:
                index.seek(0)
                first, second = index.read(_INDEX.size), index.read(_INDEX.size)
                if first == second:
                    break
    except FileNotFoundError:
        return Position()
    if len(first) < _INDEX.size:
        return Position()
    frame, salts = _INDEX.unpack(first)
    return Position(salts, frame)


def read_frames(data_file: Path, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """The frames from `start` up to `end`: the page's number, the database's size in pages, and the page itself.

    The size stands in the last frame of a commit; in those before it is 0.
    """
    with data_file.with_name(data_file.name + "-wal").open("rb") as log:
        log.seek(_HEADER + start * (_FRAME.size + PAGE_SIZE))
        for _ in range(start, end):
            page, pages = _FRAME.unpack(log.read(_FRAME.size))
            yield page, pages, log.read(PAGE_SIZE)
