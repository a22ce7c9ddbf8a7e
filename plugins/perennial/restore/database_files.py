"""A database from the snapshot of its volume: its files copied beside the standing ones, attached, checked, swapped in.

The files are crash-consistent, as after a power cut: attaching them runs the recovery that a restart would.
"""

from __future__ import annotations

from include.rules.errors import PartError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.restore.database_places import Folders, database_places, folders_to_try, home_folders
from include.rules.restore.database_room import file_row
from include.rules.restore.host_paths import path_on_volume
from include.rules.restore.record import CHECK, RestoreRecord
from perennial.hooks.sql_server import attach, databases
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.session import Session
from perennial.hooks.sql_server.volumes import gone_folders
from perennial.hooks.vault.leased import LeasedRestore
from perennial.restore.files import copy_on_host, look_on_host
from perennial.restore.step import server_must_answer


async def copy_files(restore: LeasedRestore, point: Manifest, server: SqlServer, *, limit: float) -> int:
    """Copy the database's files from the attached volume to new names beside the server's own; returns the bytes.

    Files that a database is made of already were copied by an earlier attempt and are left alone.
    """
    places = await _places_to_copy_to(restore, point, server)
    if not places:
        return 0
    await restore.change(lambda r: r.model_copy(update={"copied_files": tuple(places.values())}))
    answer = await copy_on_host(
        restore, SnapshotRole.DATABASE, "copy_database_files", _files(point, places), begins=None, limit=limit
    )
    return int(answer["bytes"])


async def look_at_database_files(restore: LeasedRestore, point: Manifest) -> str:
    """Let the host look whether the files are on the volume and have room, and change nothing; in a sentence.

    Raises:
        PartError: when they cannot be copied.
    """
    settings = restore.vault.settings
    server = SqlServer(restore.record.plan.target.database.connection, settings.run_label(restore.record.id))
    places = await _places_to_copy_to(restore, point, server)
    if not places:
        return "The database is made of its copied files already."
    answer = await look_on_host(restore, SnapshotRole.DATABASE, "copy_database_files", _files(point, places))
    return f"There is room for the database's {answer['files']} files ({answer['bytes']:,} bytes)."


async def _places_to_copy_to(restore: LeasedRestore, point: Manifest, server: SqlServer) -> dict[str, str]:
    """Path of each copy by its file's logical name; empty when a database is made of them already."""
    record = restore.record
    with server_must_answer(record.tenant, server, why="The database was not touched."):
        places, is_copied = await server.talk(
            lambda session: (_places(session, record, point), _is_copied(session, record, point)),
            pauses=restore.vault.settings.pauses,
        )
    return {} if is_copied else places


def _files(point: Manifest, places: dict[str, str]) -> dict[str, str]:
    """What copy_database_files is asked to copy."""
    source = point.source.database
    lines = [f"{path_on_volume(file, source)}\t{places[file.logical_name]}" for file in point.database_files]
    return {"FILES": "\n".join(lines)}


def attach_new(session: Session, record: RestoreRecord, point: Manifest) -> None:
    """Make the copied files a database that nobody knows yet: beside the tenant's own, or under a new name."""
    if record.plan.replaces_database:
        attach.attach_beside(session, _name(record), _paths(session, record, point), own_name(record))
    else:
        attach.attach_as_new(session, _name(record), _paths(session, record, point))


def is_attached(session: Session, record: RestoreRecord, point: Manifest) -> bool:
    """True when `attach_new` has nothing left to do: the copied files are an online database."""
    files = _paths(session, record, point)
    return any(attach.is_online(session, name, files) for name in (_name(record), own_name(record)))


def put_in_place(session: Session, record: RestoreRecord, point: Manifest) -> None:
    """Let the attached files take the place of the tenant's database."""
    attach.put_in_place(session, _name(record), _paths(session, record, point), own_name(record))


async def describe_copied_files(restore: LeasedRestore, server: SqlServer) -> str:
    """A sentence that says where the copied files are if they have not become what was asked for; else empty."""
    record, copied_files = restore.record, restore.record.copied_files
    if not copied_files or record.has_done(CHECK):
        return ""
    is_in_place, is_scratch_attached = await server.talk(
        lambda session: tuple(
            databases.survey(session, name).is_made_of(copied_files) for name in (_name(record), own_name(record))
        ),
        pauses=restore.vault.settings.pauses,
    )
    if is_in_place:
        return "" if record.plan.replaces_database else left_unchecked(_name(record))
    remedy = (
        f"drop database {own_name(record)}, which is made of them"
        if is_scratch_attached
        else "delete those that are there"
    )
    return (
        f"Database files copied from the snapshot are left on {record.plan.target.database.instance}: "
        f"{', '.join(copied_files)}. Clearing the task `open` goes on with them; if you do not want that, {remedy}."
    )


def left_unchecked(database: str) -> str:
    """A sentence about a database of a new name whose restore did not come to its end."""
    return (
        f"Database {database} is of this restore's making, and nobody has checked it. Clearing the task `open` goes on "
        "with it or makes it anew; if you do not want that, drop it."
    )


def own_name(record: RestoreRecord) -> str:
    """A name that no other restore gives a database or its files; short enough to be part of a file's name whole."""
    return f"{record.tenant}_{record.id.rsplit('-', 1)[-1]}"


def _is_copied(session: Session, record: RestoreRecord, point: Manifest) -> bool:
    files = _places(session, record, point).values()
    return any(databases.survey(session, name).is_made_of(files) for name in (_name(record), own_name(record)))


def _paths(session: Session, record: RestoreRecord, point: Manifest) -> list[str]:
    """Paths of the copied files, the primary one first."""
    places = _places(session, record, point)
    return [places[file.logical_name] for file in point.database_files]


def _places(session: Session, record: RestoreRecord, point: Manifest) -> dict[str, str]:
    """Path of each copied file by its logical name: beside those that they replace, or in the server's own folders for
    a new database; named after this very restore.

    Once they are being copied they stay where they are, also when a later look would choose another folder.
    """
    if record.copied_files:
        return dict(zip((f.logical_name for f in point.database_files), record.copied_files, strict=True))
    server = databases.server_limits(session)
    home: tuple[Folders, ...] = ()
    if record.plan.replaces_database:
        home = home_folders(databases.survey(session, _name(record)).described, point, record.plan.target)
    own = [folder for pair in home for folder in (pair.data, pair.log)]
    gone = gone_folders(session, (*own, *server.all_folders), known=server.folders[-1].data)
    rows = [file_row(file) for file in point.database_files]
    return database_places(own_name(record), rows, {}, (), folders_to_try((*home, *server.folders), gone)[0])


def _name(record: RestoreRecord) -> str:
    if record.plan.database is None:
        raise PartError("This restore is about no database.", todo="Start a new restore.")
    return record.plan.database
