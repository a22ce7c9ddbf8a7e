"""Backup devices: files (DISK) and objects (URL), opened for writing or for reading."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.sqlserver.backup_media.backup_file import MAGIC, UNFINISHED, BackupReader, Source, Target
from lab.sqlserver.backup_media.object_storage import ObjectSource, ObjectTarget
from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql.statements import Backup, Device

MAX_URL_LENGTH = 259
_IN_USE = "32(The process cannot access the file because it is being used by another process.)"


class FileTarget:
    """A backup file, this backup's alone; it is removed again if the backup fails."""

    def __init__(self, name: str, path: Path, overwrite: bool) -> None:
        self.name, self._path = name, path
        with _errors_as_3201(name), ExitStack() as undo:
            self._file = undo.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b"))
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_size and not overwrite:
                raise SqlServerError(UNSUPPORTED, f"appending to the backup file '{name}' (say WITH INIT or FORMAT)")
            self._file.truncate()
            undo.pop_all()

    def write(self, data: bytes) -> None:
        if self._file.tell() == 0:
            data = UNFINISHED + data[len(UNFINISHED) :]
        try:
            self._file.write(data)
        except OSError as error:
            raise SqlServerError(3202, self.name, _system_error(error)) from None

    def complete(self) -> None:
        self._file.seek(0)
        self._file.write(MAGIC)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abort(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()


class FileSource:
    """A backup file, read from its beginning; nobody writes to it meanwhile."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        with _errors_as_3201(name, state=2), ExitStack() as undo:
            self._file = undo.enter_context(path.open("rb"))
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            undo.pop_all()

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def tail(self, size: int) -> bytes:
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(end - size, 0))
        return self._file.read()

    def close(self) -> None:
        self._file.close()


def open_targets(instance: Instance, statement: Backup) -> list[Target]:
    """Open the devices of a backup, all of them or none.

    Raises SqlServerError 3078 for an impossible name, 3201 where nothing can be written (for a device that is named
    twice, say), 3296 for what exists.
    """
    with ExitStack() as undo:
        targets: list[Target] = []
        for device in statement.devices:
            if device in statement.devices[: len(targets)]:
                raise SqlServerError(3201, device.name, _IN_USE)
            targets.append(_open_target(instance, device, statement.overwrite, statement.transfer_size))
            undo.callback(targets[-1].abort)
        undo.pop_all()
        return targets


def _open_target(instance: Instance, device: Device, overwrite: bool, transfer_size: int) -> Target:
    """Open a device for a backup. `overwrite`: what is there may be replaced; `transfer_size`: part size in bytes."""
    if device.kind == "DISK":
        return FileTarget(device.name, instance.backup_folder / device.name, overwrite)
    if len(device.name) > MAX_URL_LENGTH:
        raise SqlServerError(3078, device.name)
    return ObjectTarget(device.name, instance.credentials.for_url(device.name), overwrite, transfer_size)


@contextmanager
def open_backup(instance: Instance, devices: Sequence[Device]) -> Iterator[BackupReader]:
    """Open the devices of a backup that is there.

    Raises SqlServerError 3201 where nothing can be read, or as the reader does.
    """
    with ExitStack() as close:
        sources = []
        for device in devices:
            sources.append(_open_source(instance, device))
            close.callback(sources[-1].close)
        yield BackupReader(sources)


def _open_source(instance: Instance, device: Device) -> Source:
    if device.kind == "DISK":
        return FileSource(device.name, instance.backup_folder / device.name)
    return ObjectSource(device.name, instance.credentials.for_url(device.name))


@contextmanager
def _errors_as_3201(name: str, state: int = 1) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SqlServerError(3201, name, _system_error(error), state=state) from None


def _system_error(error: OSError) -> str:
    """An error of the operating system as SQL Server names it: Windows' numbers for the frequent ones."""
    if isinstance(error, FileNotFoundError):
        return "2(The system cannot find the file specified.)"
    if isinstance(error, BlockingIOError):
        return _IN_USE
    if isinstance(error, PermissionError | IsADirectoryError):
        return "5(Access is denied.)"
    return f"{error.errno}({error.strerror})"
