"""Backup devices: files (DISK) and objects (URL), opened for writing or for reading."""

from __future__ import annotations

import os
from pathlib import Path

from lab.sqlserver.backup_file import Source, Target
from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.instance import Instance
from lab.sqlserver.object_storage import ObjectSource, ObjectTarget
from lab.sqlserver.tsql.statements import Device

MAX_URL_LENGTH = 259


class FileTarget:
    """A backup file; it is removed again if the backup fails."""

    def __init__(self, name: str, path: Path, overwrite: bool) -> None:
        if path.exists() and not overwrite:
            raise SqlServerError(UNSUPPORTED, f"appending to the backup file '{name}' (say WITH INIT or FORMAT)")
        self.name, self._path = name, path
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise SqlServerError(3201, name, _system_error(error)) from None

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise SqlServerError(3202, self.name, _system_error(error)) from None

    def complete(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abort(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class FileSource:
    """A backup file, read from its beginning."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise SqlServerError(3201, name, _system_error(error), state=2) from None

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def tail(self, size: int) -> bytes:
        end = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(end - size, 0))
        return self._file.read()

    def close(self) -> None:
        self._file.close()


def open_target(instance: Instance, device: Device, overwrite: bool, transfer_size: int) -> Target:
    """Open a device for a backup. `overwrite`: what is there may be replaced; `transfer_size`: part size in bytes.

    Raises SqlServerError 3078 for an impossible name, 3201 where nothing can be written, 3296 for what exists.
    """
    if device.kind == "DISK":
        return FileTarget(device.name, instance.backup_folder / device.name, overwrite)
    if len(device.name) > MAX_URL_LENGTH:
        raise SqlServerError(3078, device.name)
    return ObjectTarget(device.name, instance.credentials.for_url(device.name), overwrite, transfer_size)


def open_source(instance: Instance, device: Device) -> Source:
    """Open a device for a restore. Raises SqlServerError 3201 where nothing can be read."""
    if device.kind == "DISK":
        return FileSource(device.name, instance.backup_folder / device.name)
    return ObjectSource(device.name, instance.credentials.for_url(device.name))


def _system_error(error: OSError) -> str:
    """An error of the operating system as SQL Server names it: Windows' numbers for the frequent ones."""
    if isinstance(error, FileNotFoundError):
        return "2(The system cannot find the file specified.)"
    if isinstance(error, PermissionError | IsADirectoryError):
        return "5(Access is denied.)"
    return f"{error.errno}({error.strerror})"
