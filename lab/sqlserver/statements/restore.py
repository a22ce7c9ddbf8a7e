"""RESTORE DATABASE and RESTORE LOG: the backup's bytes in place of the database, once every check has been passed.

A restore sequence is a full backup, at most one differential one and any number of logs, all but the last of them WITH
NORECOVERY. Between two of them the database is RESTORING and rolled forward to its `redo_lsn`. Recovery takes it to a
recovery fork of its own; its chain of backups goes on there: the first log backup leads from the old fork to the new.
https://learn.microsoft.com/sql/relational-databases/backup-restore/recovery-paths-sql-server
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from lab.sqlserver.backup_media import contents
from lab.sqlserver.backup_media.backup_file import BackupReader
from lab.sqlserver.backup_media.backup_header import DIFFERENTIAL, LOG
from lab.sqlserver.backup_media.devices import open_backup
from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.carried import carried_in, change_carried
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.databases import LOG_PAGES, LSN_STEP, PAGE_SIZE, Database, new_guid, open_file, remove_files
from lab.sqlserver.engine.sessions import Work
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.statements import restore_plan
from lab.sqlserver.statements.progress import Progress
from lab.sqlserver.translation.dates import parse_moment, stored
from lab.sqlserver.tsql.statements import Restore


def run(context: Context, statement: Restore) -> None:
    """Carry out one step of a restore sequence.

    What is refused leaves everything as it was. Once bytes flow the database is RESTORING, and whatever goes wrong
    then, a crash included, leaves it so: the sequence must begin anew, with RESTORE DATABASE ... WITH REPLACE.
    """
    with context.terminating(f"RESTORE {statement.kind}"):
        if context.session.transactions:
            raise SqlServerError(3021, state=0)
        permissions.check_restore(context.instance, context.session, statement.database)
        if not statement.devices:
            _end_sequence(context, statement)
            return
        with open_backup(context.instance, statement.devices) as reader:
            restore_plan.check_version(reader.header)
            restore_plan.check_checksums(reader.header, statement.checksum)
            restore_plan.check_certificate(context.instance, reader.header)
            restore_plan.check_kind(reader.header, statement)
            _restore(context, statement, reader)


def _end_sequence(context: Context, statement: Restore) -> None:
    """RESTORE DATABASE name WITH RECOVERY. Raises SqlServerError 3153 where no sequence is under way."""
    with _claim(context, statement):
        database = context.instance.databases.get(statement.database)
        if database.state != "RESTORING":
            raise SqlServerError(3153)
        if not database.redo_lsn:
            raise SqlServerError(4333)
        if statement.recovery:
            _recover(context, database, keeps_cdc=False)
    context.reply.info(3014, f"RESTORE {statement.kind}", 0, 0.001, 0.0)
    context.reply.done()


def _restore(context: Context, statement: Restore, reader: BackupReader) -> None:
    header = reader.header
    stop_at = stored(parse_moment(statement.stop_at), "DATETIME2") if statement.stop_at else None
    claimed = _replaced if restore_plan.is_full(header) else _rolled_forward
    with claimed(context, statement, header, stop_at) as database:
        seconds, device = context.instance.control.restore_seconds, statement.devices[0].name
        progress = Progress(context, header["BackupSize"], statement.stats, seconds, device)
        lsn, reached = _apply(database, reader, progress, stop_at)
        progress.finish()
        moment = stop_at if reached and stop_at else header["BackupStartDate"]
        base = database.redo_base if restore_plan.is_full(header) else None
        database = context.instance.databases.change(
            database.name, redo_lsn=lsn, redo_time=moment, redo_base=base, recovery_fork=header["RecoveryForkID"]
        )
        if statement.recovery and reached:
            _recover(context, database, keeps_cdc=statement.keep_cdc or _is_at_home(context, statement, header))
    context.instance.history.record_restore(header | reader.trailer(), statement, context.session.login, stop_at)
    _tell(context, database, header, progress.elapsed)
    if not reached:
        context.reply.info(4322)
    context.reply.done()


def _apply(database: Database, reader: BackupReader, progress: Progress, stop_at: str | None) -> tuple[int, bool]:
    """Bring the backup's bytes into the data file; the LSN that it holds then, and whether STOPAT has been reached."""
    data_file, header = Path(database.data_file), reader.header
    reached = restore_plan.reaches(header, stop_at)
    blocks = _told(reader, progress)
    if header["BackupType"] == LOG:
        last, stopped = contents.apply_commits(data_file, blocks, database.redo_lsn, stop_at)
        return (last, True) if stopped else (header["LastLSN"], reached)
    if header["BackupType"] == DIFFERENTIAL:
        contents.apply_changed_pages(data_file, blocks)
    else:
        contents.write_pages(data_file, blocks, database.page_digests if database.base_guid else None)
    return header["LastLSN"], reached


def _told(reader: BackupReader, progress: Progress) -> Iterator[bytes]:
    """The backup's blocks; the client hears of each that has been dealt with."""
    for block in reader.blocks():
        yield block
        progress.advance(len(block))


def _claim(context: Context, statement: Restore) -> AbstractContextManager[None]:
    """One restore of a database at a time: 3101."""
    return context.instance.working(context.session, statement.database, Work.RESTORE)


@contextmanager
def _replaced(context: Context, statement: Restore, header: dict[str, Any], stop_at: str | None) -> Iterator[Database]:
    """Keep the database to this restore: everything checked, its old files gone, its state RESTORING."""
    databases = context.instance.databases
    with _claim(context, statement):
        with databases.lock:  # nobody can come in between the checks and the new state
            existing = databases.find(statement.database)
            if existing and existing.is_system:
                raise SqlServerError(3147, existing.name)
            if existing and existing.availability_group:
                raise SqlServerError(3104, existing.name)
            if existing:
                databases.check_whole(existing, "restore")
            database = existing or databases.blank(statement.database)
            context.instance.check_exclusive(context.session, database)
            if existing:
                restore_plan.check_overwriting(existing, header, statement)
            owner_sid = permissions.login_of(context.instance, context.session).sid
            restoring = restore_plan.planned(statement, header, database, owner_sid)
            restore_plan.check_stop_at(header, restoring, stop_at)
            restore_plan.check_places(databases, statement, restoring)
            restore_plan.check_room(header, restoring)
            if existing:
                context.instance.logs.close(existing.name)
                remove_files(existing)
            remove_files(restoring)  # REPLACE: what a stranger has left in its places
            databases.put(restoring)
        yield restoring


@contextmanager
def _rolled_forward(
    context: Context, statement: Restore, header: dict[str, Any], stop_at: str | None
) -> Iterator[Database]:
    """The same for a differential or log backup; if it is cut off, there is nothing left to go on from."""
    databases = context.instance.databases
    with _claim(context, statement):
        database = databases.find(statement.database)
        if database is None:
            raise SqlServerError(3118, statement.database)
        restore_plan.check_roll_forward(header, database)
        restore_plan.check_stop_at(header, database, stop_at)
        databases.change(database.name, redo_lsn=0)
        yield database


def _is_at_home(context: Context, statement: Restore, header: dict[str, Any]) -> bool:
    """Whether a backup comes back on the server that made it, under the name that the database had."""
    return bool(
        header.get("Server") == context.instance.identity
        and header["DatabaseName"].lower() == statement.database.lower()
    )


def _recover(context: Context, restoring: Database, *, keeps_cdc: bool) -> None:
    """Bring the restored database online, on a recovery fork of its own; its log is backed up on from there.

    Change data capture is gone unless `keeps_cdc`.
    """
    connection = open_file(restoring)
    connection.pragma("journal_mode", "WAL")
    connection.close()
    context.instance.databases.change(
        restoring.name,
        state="ONLINE",
        recovery_fork=new_guid(),
        lsn=max(restoring.lsn, restoring.redo_lsn + LSN_STEP),
        log_lsn=restoring.redo_lsn if restoring.log_lsn else 0,
        log_fork=restoring.recovery_fork if restoring.log_lsn else None,
        fork_lsn=restoring.redo_lsn if restoring.log_lsn else 0,
        redo_lsn=0,
        redo_time=None,
        redo_base=None,
    )
    context.instance.logs.of(restoring.name)  # the log file is there from the beginning
    database = context.instance.databases.change(restoring.name, **carried_in(restoring))
    if database.cdc and not keeps_cdc:
        change_carried(context.instance, database, cdc=False)


def _tell(context: Context, database: Database, header: dict[str, Any], seconds: float) -> None:
    what, pages = "RESTORE LOG", header["BackupSize"] // PAGE_SIZE
    if header["BackupType"] != LOG:
        context.reply.info(4035, pages, database.name, database.data_name)
        what, pages = "RESTORE DATABASE", pages + LOG_PAGES
    log_pages = pages if header["BackupType"] == LOG else LOG_PAGES
    context.reply.info(4035, log_pages, database.name, database.log_name)
    context.reply.info(3014, what, pages, seconds, header["BackupSize"] / 1_048_576 / seconds)
