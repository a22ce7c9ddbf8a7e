"""The grammar of what is done to databases as a whole and to the server: CREATE DATABASE, credentials, DBCC, KILL."""

from __future__ import annotations

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import (
    AlterAvailabilityGroup,
    AlterDatabase,
    CheckDatabase,
    CreateCredential,
    CreateDatabase,
    CreateSnapshot,
    DropCredential,
    DropDatabase,
    Kill,
    RenameDatabase,
    Use,
)

_ON_OFF = ("ON", "OFF")
_VALUES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("SINGLE_USER", "MULTI_USER", "OFFLINE", "ONLINE"), ()),
    **dict.fromkeys(("ENABLE_BROKER", "DISABLE_BROKER", "NEW_BROKER"), ()),
    **dict.fromkeys(("TRUSTWORTHY", "DB_CHAINING", "ENCRYPTION"), _ON_OFF),
    "RECOVERY": ("FULL", "SIMPLE", "BULK_LOGGED"),
    "COMPATIBILITY_LEVEL": ("100", "110", "120", "130", "140", "150", "160"),
}
"""The values that an option of ALTER DATABASE ... SET takes; none where it takes no value."""


def create_database(reader: Reader) -> CreateDatabase | CreateSnapshot:
    """CREATE DATABASE name [COLLATE collation], with ON (FILENAME = N'...'), ... FOR ATTACH, or as a snapshot."""
    reader.expect("CREATE", "DATABASE")
    name = reader.name()
    if reader.accept("COLLATE"):
        reader.name()
    files = []
    if reader.accept("ON"):
        reader.accept("PRIMARY")
        if reader.peek().is_word("NAME"):
            return _snapshot(reader, name)
        files.append(_file_name(reader))
        while reader.accept_symbol(","):
            files.append(_file_name(reader))
        reader.expect("FOR", "ATTACH")
    if reader.at_words("LOG", "ON"):
        raise SqlServerError(UNSUPPORTED, "CREATE DATABASE with a log file of one's own choice (LOG ON)")
    return CreateDatabase(name, tuple(files))


def _snapshot(reader: Reader, name: str) -> CreateSnapshot:
    """(NAME = logical, FILENAME = N'...') AS SNAPSHOT OF source: of the one data file that the lab's databases have."""
    reader.expect_symbol("(")
    reader.expect("NAME")
    reader.expect_symbol("=")
    reader.name()
    reader.expect_symbol(",")
    reader.expect("FILENAME")
    reader.expect_symbol("=")
    file = reader.string()
    reader.expect_symbol(")")
    reader.expect("AS", "SNAPSHOT", "OF")
    return CreateSnapshot(name, file, reader.name())


def alter_availability_group(reader: Reader) -> AlterAvailabilityGroup:
    """ALTER AVAILABILITY GROUP name ADD|REMOVE DATABASE name."""
    reader.expect("ALTER", "AVAILABILITY", "GROUP")
    group = reader.name()
    add = reader.accept("ADD")
    if not add:
        reader.expect("REMOVE")
    reader.expect("DATABASE")
    return AlterAvailabilityGroup(group, reader.name(), add)


def _file_name(reader: Reader) -> str:
    reader.expect_symbol("(")
    if not reader.accept("FILENAME"):
        raise SqlServerError(UNSUPPORTED, "CREATE DATABASE with files of one's own choice, but for FOR ATTACH")
    reader.expect_symbol("=")
    name = reader.string()
    reader.expect_symbol(")")
    return name


def drop_database(reader: Reader) -> DropDatabase:
    """DROP DATABASE [IF EXISTS] name, ..."""
    reader.expect("DROP", "DATABASE")
    if_exists = reader.accept("IF", "EXISTS")
    names = [reader.name()]
    while reader.accept_symbol(","):
        names.append(reader.name())
    return DropDatabase(tuple(names), if_exists)


def alter_database(reader: Reader) -> AlterDatabase | RenameDatabase:
    """ALTER DATABASE name SET option [WITH ROLLBACK IMMEDIATE | WITH NO_WAIT], or MODIFY NAME = name."""
    reader.expect("ALTER", "DATABASE")
    database = None if reader.accept("CURRENT") else reader.name()
    if reader.accept("MODIFY", "NAME"):
        reader.expect_symbol("=")
        return RenameDatabase(database, reader.name())
    reader.expect("SET")
    option = reader.name().upper()
    if option not in _VALUES:
        raise SqlServerError(UNSUPPORTED, f"ALTER DATABASE ... SET {option}")
    value = None
    if _VALUES[option]:
        reader.accept_symbol("=")
        value = reader.take().value.upper()
        if value not in _VALUES[option]:
            raise SqlServerError(155, value, "ALTER DATABASE")
    return AlterDatabase(database, option, value, _termination(reader))  # type: ignore[arg-type]


def _termination(reader: Reader) -> str | None:
    if not reader.accept("WITH"):
        return None
    if reader.accept("NO_WAIT"):
        return "NO_WAIT"
    reader.expect("ROLLBACK", "IMMEDIATE")
    return "ROLLBACK"


def create_credential(reader: Reader) -> CreateCredential:
    """CREATE CREDENTIAL [s3://host:port/bucket] WITH IDENTITY = N'S3 Access Key', SECRET = N'key:secret'."""
    reader.expect("CREATE", "CREDENTIAL")
    name = reader.name()
    reader.expect("WITH", "IDENTITY")
    reader.expect_symbol("=")
    identity = reader.string()
    secret = ""
    if reader.accept_symbol(","):
        reader.expect("SECRET")
        reader.expect_symbol("=")
        secret = reader.string()
    return CreateCredential(name, identity, secret)


def drop_credential(reader: Reader) -> DropCredential:
    reader.expect("DROP", "CREDENTIAL")
    return DropCredential(reader.name())


def check_database(reader: Reader) -> CheckDatabase:
    """DBCC CHECKDB [(name)] [WITH NO_INFOMSGS, ALL_ERRORMSGS]."""
    reader.expect("DBCC")
    command = reader.name()
    if command.upper() != "CHECKDB":
        raise SqlServerError(UNSUPPORTED, f"DBCC {command}")
    database = None
    if reader.accept_symbol("("):
        database = reader.string() if reader.here.kind.name == "STRING" else reader.name()
        reader.expect_symbol(")")
    options = set()
    if reader.accept("WITH"):
        options.add(reader.name().upper())
        while reader.accept_symbol(","):
            options.add(reader.name().upper())
    if unknown := options - {"NO_INFOMSGS", "ALL_ERRORMSGS", "PHYSICAL_ONLY"}:
        raise SqlServerError(155, unknown.pop(), "DBCC")
    return CheckDatabase(database, no_infomsgs="NO_INFOMSGS" in options)


def kill(reader: Reader) -> Kill:
    reader.expect("KILL")
    return Kill(reader.integer())


def use(reader: Reader) -> Use:
    reader.expect("USE")
    return Use(reader.name())
