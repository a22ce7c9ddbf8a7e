"""The transaction log: every committed change of a database, page by page, with its LSN and its time.

SQLite's write-ahead log is a log already: it holds the images of all changed pages, commit by commit, until a
checkpoint lets it begin anew. So after each commit its new part is copied to the database's log file (.ldf, a SQLite
file of its own), and no checkpoint happens before that. BACKUP LOG takes from the log file, and truncates it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from threading import RLock

import apsw

from lab.sqlserver.engine.databases import COMMIT_STEP, LSN_STEP, Database, Databases, open_file
from lab.sqlserver.engine.open_files import OpenFiles
from lab.sqlserver.engine.write_ahead_log import Position, committed_position, read_frames
from lab.sqlserver.translation.dates import now

COMMIT = struct.Struct("<Q26sII")  # a commit in a log backup: LSN, time, the database's pages after it, frames
FRAME = struct.Struct("<I")  # then each frame: the page's number, and the page
_SCHEMA = """
CREATE TABLE IF NOT EXISTS synced (salts BLOB, frame INTEGER);
CREATE TABLE IF NOT EXISTS entry (lsn INTEGER PRIMARY KEY, at TEXT, pages INTEGER, frames INTEGER);
CREATE TABLE IF NOT EXISTS frame (number INTEGER PRIMARY KEY, lsn INTEGER, page INTEGER, image BLOB);
CREATE INDEX IF NOT EXISTS frame_lsn ON frame (lsn);
"""


class TransactionLog:
    """The log of one database. It keeps changes only while there is a log chain that needs them."""

    def __init__(self, databases: Databases, database: Database, open_files: OpenFiles) -> None:
        self._databases, self._database, self._open_files = databases, database, open_files
        self._lock = RLock()
        self._data_file = Path(database.data_file)
        self._connection: apsw.Connection | None = None
        self._closed = False
        with self._lock:
            self._file.execute(_SCHEMA)
            self._synced = next((Position(*row) for row in self._file.execute("SELECT * FROM synced")), Position())
            self._keeping = database.keeps_log
            self._catch_up()

    @property
    def _file(self) -> apsw.Connection:
        """The log file; the caller holds the lock for as long as it uses it. Opened again if it was idle for long."""
        if self._connection is None:
            self._connection = apsw.Connection(self._database.log_file)
            self._connection.pragma("journal_mode", "WAL")
            self._connection.pragma("synchronous", "OFF")  # it must survive a killed process, not a power cut
        self._open_files.used(self)
        return self._connection

    def close_if_idle(self) -> bool:
        """Close the log file, unless it is being used: see OpenFiles."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._close_file()
        finally:
            self._lock.release()
        return True

    def _close_file(self) -> None:
        if self._connection is not None:
            self._connection.close(True)
            self._connection = None

    def committed(self) -> None:
        """Something was committed."""
        with self._lock:
            self._sync()

    def begin_snapshot(self, reader: apsw.Connection, begin_chain: bool) -> int:
        """Begin a transaction of `reader` and return the LSN of the moment that it sees.

        With `begin_chain`, all that is committed from that moment on is kept, if it was not before.
        """
        with self._lock:
            while True:
                self._sync()
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # now what it sees stands still
                if committed_position(self._data_file) == self._synced:
                    break
                reader.execute("ROLLBACK")  # somebody was faster
            if begin_chain and not self._keeping:
                self._clear()
                self._keeping = True
            return self._databases.advance_log(self._database.name, LSN_STEP)

    def end_of_log(self) -> int:
        """The LSN behind everything that is committed by now."""
        with self._lock:
            self._sync()
            return self._databases.advance_log(self._database.name, LSN_STEP)

    def end_chain(self) -> None:
        """Stop keeping changes and forget those that were kept."""
        with self._lock:
            self._keeping = False
            self._clear()

    def size(self, after: int, up_to: int) -> tuple[int, int]:
        """The commits and the frames between two LSNs."""
        with self._lock:
            ((commits, frames),) = self._file.execute(
                "SELECT count(*), coalesce(sum(frames), 0) FROM entry WHERE lsn > ? AND lsn <= ?", (after, up_to)
            )
        return int(commits), int(frames)

    def entries(self, after: int, up_to: int) -> Iterator[bytes]:
        """The commits between two LSNs as a log backup holds them, in small pieces."""
        reader = apsw.Connection(self._database.log_file, flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            for lsn, at, pages, frames in reader.execute(
                "SELECT lsn, at, pages, frames FROM entry WHERE lsn > ? AND lsn <= ? ORDER BY lsn", (after, up_to)
            ):
                yield COMMIT.pack(lsn, at.encode(), pages, frames)
                for page, image in reader.execute(
                    "SELECT page, image FROM frame WHERE lsn = ? ORDER BY number", (lsn,)
                ):
                    yield FRAME.pack(page) + image
        finally:
            reader.close(True)

    def truncate(self, up_to: int) -> None:
        """Forget what a log backup holds now."""
        with self._lock, self._file:
            self._file.execute("DELETE FROM frame WHERE lsn <= ?", (up_to,))
            self._file.execute("DELETE FROM entry WHERE lsn <= ?", (up_to,))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._close_file()
        self._open_files.closed(self)

    def _catch_up(self) -> None:
        """What a killed server committed last is in the write-ahead log still, but not yet in the log file."""
        connection = open_file(self._database)
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # SQLite's own recovery
            self._sync()
        finally:
            connection.close(True)

    def _sync(self) -> None:
        """Copy what was committed since the last time."""
        reached = committed_position(self._data_file)
        if reached == self._synced:
            return
        if self._keeping:
            start = self._synced.frame if reached.salts == self._synced.salts else 0
            with self._file:
                if reached.frame > start:  # otherwise the write-ahead log may be gone, with its last connection
                    self._copy(start, reached.frame)
                self._remember(reached)
        self._synced = reached

    def _copy(self, start: int, end: int) -> None:
        at, lsn, frames = now(), 0, 0
        for page, pages, image in read_frames(self._data_file, start, end):
            if not frames:
                lsn = self._databases.advance_log(self._database.name, COMMIT_STEP) + COMMIT_STEP
            frames += 1
            self._file.execute("INSERT INTO frame (lsn, page, image) VALUES (?, ?, ?)", (lsn, page, image))
            if pages:  # the last frame of a commit
                self._file.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", (lsn, at, pages, frames))
                frames = 0

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the data file, while nobody can commit what is not yet copied.

        Returns:
            Whether all of it was moved; if not, somebody was writing or reading.
        """
        with self._lock:
            if self._closed:
                return True
            gate, worker = open_file(self._database), open_file(self._database)
            gate.set_busy_timeout(0)
            try:
                gate.execute("BEGIN IMMEDIATE")
                self._sync()
                frames, moved = worker.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                return bool(frames == moved)
            except apsw.BusyError:
                return False
            finally:
                gate.close(True)
                worker.close(True)

    def _clear(self) -> None:
        with self._file:
            self._file.execute("DELETE FROM frame; DELETE FROM entry")
            self._remember(self._synced)

    def _remember(self, position: Position) -> None:
        self._file.execute("DELETE FROM synced")
        self._file.execute("INSERT INTO synced VALUES (?, ?)", (position.salts, position.frame))
