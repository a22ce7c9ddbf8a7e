"""The volumes that the server's files lie on, as the operating system shows them to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import apsw

from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.engine.permissions import check_sees_server
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.engine.view import Row, View


def volume_of(path: Path) -> tuple[str, int, int] | None:
    """Mount point, total and free bytes of the volume that `path` lies on; None where its folder has gone."""
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return None
    stat = os.statvfs(folder)
    while not folder.is_mount():
        folder = folder.parent
    return str(folder), stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize


def _volume_stats(instance: Instance, session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    check_sees_server(instance, session)
    for database in instance.databases.all():
        for number, file in enumerate((database.data_file, database.log_file), start=1):
            if volume := volume_of(Path(file)):
                yield database.id, number, *volume


def _fixed_drives(instance: Instance, session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    check_sees_server(instance, session)
    if volume := volume_of(Path("/")):
        path, _, free = volume
        yield path, 3, "DRIVE_FIXED", free


VOLUME_VIEWS = {
    "dm_os_volume_stats": View(
        "database_id INT; file_id INT; volume_mount_point NVARCHAR(512); total_bytes BIGINT; available_bytes BIGINT",
        _volume_stats,
    ),
    "dm_os_enumerate_fixed_drives": View(
        "fixed_drive_path NVARCHAR(256); drive_type INT; drive_type_desc NVARCHAR(256); free_space_in_bytes BIGINT",
        _fixed_drives,
    ),
}
