"""BACKUP DATABASE and BACKUP LOG: what is there at one moment, streamed to devices, then written down in msdb."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import apsw

from lab.sqlserver.backup_media import contents as held
from lab.sqlserver.backup_media.backup_file import BackupWriter
from lab.sqlserver.backup_media.backup_header import header_of
from lab.sqlserver.backup_media.contents import Contents
from lab.sqlserver.backup_media.devices import open_targets
from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.databases import LOG_PAGES, Database, open_file
from lab.sqlserver.engine.sessions import Work
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.statements.progress import Progress
from lab.sqlserver.translation.dates import now
from lab.sqlserver.tsql.statements import Backup

_COPY_PAGES = 1024  # pages copied between two looks at whether the client still wants the backup
_SUCCEEDED = {
    "DATABASE": "BACKUP DATABASE",
    "DIFFERENTIAL": "BACKUP DATABASE WITH DIFFERENTIAL",
    "LOG": "BACKUP LOG",
}


def run(context: Context, statement: Backup) -> None:
    """Carry out a backup. Every failure leaves no object, no file and no row in msdb behind."""
    what = "BACKUP LOG" if statement.kind == "LOG" else "BACKUP DATABASE"
    with context.terminating(what):
        if context.session.transactions:
            raise SqlServerError(3021, state=0)
        if statement.database.lower() == "tempdb":
            raise SqlServerError(3147, "tempdb")
        work = Work.LOG_BACKUP if statement.kind == "LOG" else Work.DATA_BACKUP
        with context.instance.working(context.session, statement.database, work):
            database = context.instance.databases.readable(statement.database)
            permissions.check_backup(context.instance, context.session, database, what)
            context.instance.check_place(context.session, database)
            _check_chain(database, statement)
            with _whole(context, database, statement):
                if statement.kind == "LOG":
                    _back_up_log(context, database, statement)
                else:
                    _back_up_data(context, database, statement)


def _check_chain(database: Database, statement: Backup) -> None:
    """A log backup continues a chain, a differential one stands on a full one: 4208, 4214, 3035."""
    if statement.kind == "DIFFERENTIAL" and (not database.base_lsn or not database.page_digests.exists()):
        raise SqlServerError(3035, database.name)
    if statement.kind == "LOG":
        if database.recovery_model == "SIMPLE":
            raise SqlServerError(4208, "BACKUP LOG")
        if not database.log_lsn:
            raise SqlServerError(4214)


@contextmanager
def _whole(context: Context, database: Database, statement: Backup) -> Iterator[None]:
    """BACKUP LOG ... WITH NORECOVERY: nobody comes between the backup of the log's tail and the RESTORING state."""
    if not statement.norecovery:
        yield
        return
    databases = context.instance.databases
    with databases.lock:
        context.instance.check_exclusive(context.session, database)
        databases.change(database.name, state="RESTORING")
    try:
        yield
    except BaseException:
        databases.change(database.name, state="ONLINE", redo_lsn=0)
        raise
    context.instance.logs.close(database.name)


def _back_up_data(context: Context, database: Database, statement: Backup) -> None:
    """A full or a differential backup; both begin a log chain if there is none, but for a COPY_ONLY one."""
    starts_chain = not statement.copy_only and database.recovery_model != "SIMPLE" and not database.log_lsn
    log = context.instance.logs.of(database.name)
    try:
        with (
            _copied(context, database, starts_chain) as (copy, lsn, moment),
            _new_file(database.page_digests) as digests,
        ):
            if statement.kind == "DIFFERENTIAL":
                contents = held.changed_pages(copy, database.page_digests, digests)
            else:
                contents = held.all_pages(copy, None if statement.copy_only else digests)
            header = header_of(context, database, statement, contents, lsn, moment)
            _write(context, database, statement, contents, header)
            if not statement.copy_only:
                digests.replace(database.page_digests)
    except BaseException:
        if starts_chain:
            log.end_chain()
        raise
    changes: dict[str, Any] = {}
    if starts_chain:
        changes |= {"chain_lsn": lsn, "log_lsn": lsn}
    if statement.kind == "DATABASE" and not statement.copy_only:
        changes |= {"base_lsn": lsn, "base_guid": header["BackupSetGUID"]}
    context.instance.databases.change(database.name, **changes)


def _back_up_log(context: Context, database: Database, statement: Backup) -> None:
    log = context.instance.logs.of(database.name)
    started = now()
    lsn = log.end_of_log()
    contents = held.commits(log, database.log_lsn, lsn)
    header = header_of(context, database, statement, contents, lsn, started)
    _write(context, database, statement, contents, header)
    if statement.copy_only:
        return
    end = header["LastLSN"]
    tail = {"redo_lsn": end, "redo_time": started, "redo_base": database.base_guid} if statement.norecovery else {}
    context.instance.databases.change(database.name, log_lsn=end, log_fork=None, fork_lsn=0, **tail)
    log.truncate(lsn)


def _write(context: Context, database: Database, statement: Backup, contents: Contents, header: dict[str, Any]) -> None:
    """Stream a backup to its devices and write it down; tell the client as it goes."""
    targets = open_targets(context.instance, statement)
    progress = Progress(
        context, contents.size, statement.stats, context.instance.control.backup_seconds, statement.devices[0].name
    )
    with ExitStack() as undo:
        for target in targets:
            undo.callback(target.abort)
        writer = BackupWriter(targets, header)
        for block in contents.blocks:
            writer.block(block)
            progress.advance(len(block))
        log_pages = contents.pages
        if statement.kind != "LOG":
            context.reply.info(4035, contents.pages, database.name, database.data_name)
            # A real server ends the data's part with a DONE of its own (tiny_tds#150): who takes it for the end,
            # cancels.
            context.reply.more()
            log_pages = LOG_PAGES
        progress.finish()
        context.reply.check()
        context.reply.info(4035, log_pages, database.name, database.log_name)
        trailer = {"BackupFinishDate": now(), "CompressedBackupSize": writer.written}
        writer.finish(trailer)
        for target in targets:
            target.complete()
        undo.pop_all()
    context.instance.history.record_backup(header | trailer, statement.devices)
    pages = contents.pages + (LOG_PAGES if statement.kind != "LOG" else 0)
    speed = contents.size / 1_048_576 / progress.elapsed
    context.reply.info(3014, _SUCCEEDED[statement.kind], pages, progress.elapsed, speed)
    context.reply.done()


@contextmanager
def _new_file(place: Path) -> Iterator[Path]:
    """A file to write in place of another one; it is gone at the end if nobody has put it there."""
    new = place.with_name(place.name + ".new")
    try:
        yield new
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def _copied(context: Context, database: Database, begin_chain: bool) -> Iterator[tuple[Path, int, str]]:
    """A file with the database as it is at one moment, whoever writes meanwhile, and that moment's LSN and time."""
    path = context.instance.temp_folder / f"{uuid.uuid4()}.copy"
    source = open_file(database)
    copy = apsw.Connection(str(path))
    try:
        lsn = context.instance.logs.of(database.name).begin_snapshot(source, begin_chain)
        moment = now()
        with copy.backup("main", source, "main") as steps:
            while not steps.done:
                steps.step(_COPY_PAGES)
                context.reply.check()
        copy.close()
        source.close()
        yield path, lsn, moment
    finally:
        copy.close(True)
        source.close(True)
        path.unlink(missing_ok=True)
