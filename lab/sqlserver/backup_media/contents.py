"""What the three kinds of backup hold: all pages, the pages changed since the base, the commits since the last log.

Which pages changed is told by digests of all pages, kept beside the data file from one differential base to the next;
they are SQL Server's differential bitmap. A page once changed counts as changed until then, as there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from lab.sqlserver.backup_media.backup_file import BLOCK_SIZE
from lab.sqlserver.engine.databases import PAGE_SIZE
from lab.sqlserver.engine.transaction_log import COMMIT, FRAME, TransactionLog

_DIGEST_SIZE = 16
_CHANGED = bytes(_DIGEST_SIZE)  # no page's digest


@dataclass(frozen=True)
class Contents:
    """`size` is in bytes; `blocks` are at most BLOCK_SIZE bytes each."""

    size: int
    pages: int
    blocks: Iterable[bytes]


def all_pages(copy: Path, digests: Path | None) -> Contents:
    """The whole file `copy`. Its pages' digests are written to `digests` on the way."""
    size = copy.stat().st_size

    def blocks() -> Iterator[bytes]:
        page_digests = bytearray()
        with copy.open("rb") as file:
            while block := file.read(BLOCK_SIZE):
                if digests:
                    page_digests += _digests(block)
                yield block
        if digests:
            digests.write_bytes(page_digests)

    return Contents(size, size // PAGE_SIZE, blocks())


def changed_pages(copy: Path, base: Path, digests: Path) -> Contents:
    """The pages of `copy` whose digests are not those in `base`; to `digests` goes which have changed by now."""
    known, marked, changed = base.read_bytes(), bytearray(), []
    total = copy.stat().st_size // PAGE_SIZE
    with copy.open("rb") as file:
        for page in range(total):
            before = known[page * _DIGEST_SIZE : (page + 1) * _DIGEST_SIZE]
            same = _digest(file.read(PAGE_SIZE)) == before
            marked += before if same else _CHANGED
            if not same:
                changed.append(page + 1)
    digests.write_bytes(marked)

    def pieces() -> Iterator[bytes]:
        yield FRAME.pack(total)
        with copy.open("rb") as file:
            for page in changed:
                file.seek((page - 1) * PAGE_SIZE)
                yield FRAME.pack(page) + file.read(PAGE_SIZE)

    return Contents(FRAME.size + len(changed) * (FRAME.size + PAGE_SIZE), len(changed), _in_blocks(pieces()))


def commits(log: TransactionLog, after: int, up_to: int) -> Contents:
    """What was committed between two LSNs."""
    number, frames = log.size(after, up_to)
    size = number * COMMIT.size + frames * (FRAME.size + PAGE_SIZE)
    return Contents(size, frames, _in_blocks(log.entries(after, up_to)))


def write_pages(data_file: Path, blocks: Iterable[bytes], digests: Path | None) -> None:
    """Make a data file of a full backup; the digests of its pages go to `digests`, as when it was backed up."""
    page_digests = bytearray()
    with data_file.open("wb") as file:
        for block in blocks:
            file.write(block)
            if digests:
                page_digests += _digests(block)
    if digests:
        digests.write_bytes(page_digests)


def apply_changed_pages(data_file: Path, blocks: Iterable[bytes]) -> None:
    """Bring a restored base to the state of a differential backup."""
    stream = _Stream(blocks)
    (total,) = FRAME.unpack(stream.take(FRAME.size))
    with data_file.open("r+b") as file:
        while not stream.at_end:
            (page,) = FRAME.unpack(stream.take(FRAME.size))
            file.seek((page - 1) * PAGE_SIZE)
            file.write(stream.take(PAGE_SIZE))
        file.truncate(total * PAGE_SIZE)


def apply_commits(data_file: Path, blocks: Iterable[bytes], after: int, stop_at: str | None) -> tuple[int, bool]:
    """Roll a restored database forward through a log backup.

    Commits up to the LSN `after` are there already; those later than the moment `stop_at` are left out. Returns the
    LSN of the last commit that is there now, and whether one was left out.
    """
    stream, reached, stopped = _Stream(blocks), after, False
    with data_file.open("r+b") as file:
        while not stream.at_end:
            lsn, at, pages, frames = COMMIT.unpack(stream.take(COMMIT.size))
            stopped = stopped or (stop_at is not None and at.decode() > stop_at)
            wanted = not stopped and lsn > after
            for _ in range(frames):
                (page,) = FRAME.unpack(stream.take(FRAME.size))
                image = stream.take(PAGE_SIZE)
                if wanted:
                    file.seek((page - 1) * PAGE_SIZE)
                    file.write(image)
            if wanted:
                file.truncate(pages * PAGE_SIZE)
                reached = lsn
    return reached, stopped


class _Stream:
    """The bytes of blocks, whatever their borders; what is not asked for is read all the same, for its checksums."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._left = b""
        self._at = 0

    @property
    def at_end(self) -> bool:
        self._fill(1)
        return self._at == len(self._left)

    def take(self, size: int) -> bytes:
        self._fill(size)
        self._at += size
        return self._left[self._at - size : self._at]

    def _fill(self, size: int) -> None:
        while len(self._left) - self._at < size and (block := next(self._blocks, None)) is not None:
            self._left, self._at = self._left[self._at :] + block, 0


def _in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of BLOCK_SIZE."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= BLOCK_SIZE:
            yield bytes(buffer[:BLOCK_SIZE])
            del buffer[:BLOCK_SIZE]
    if buffer:
        yield bytes(buffer)


def _digests(block: bytes) -> bytes:
    return b"".join(_digest(block[at : at + PAGE_SIZE]) for at in range(0, len(block), PAGE_SIZE))


def _digest(page: bytes) -> bytes:
    return blake2b(page, digest_size=_DIGEST_SIZE).digest()
