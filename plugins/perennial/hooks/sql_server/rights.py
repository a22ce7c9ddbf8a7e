"""What the login of a connection may do: which of the rights that Perennial needs it lacks, asked in one statement.

The table is the README's, statement by statement; a test makes a login by the README's and works with nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from perennial.hooks.sql_server import tsql_settings
from perennial.hooks.sql_server.databases import ONLINE
from perennial.hooks.sql_server.session import Session


def held(permission: str) -> str:
    """The question whether the login has a permission on the server."""
    return f"HAS_PERMS_BY_NAME(NULL, NULL, N'{permission}')"


_IS_SYSADMIN = "IS_SRVROLEMEMBER(N'sysadmin') = 1"
_OWNS = "EXISTS (SELECT 1 FROM sys.databases WHERE name = {name} AND owner_sid = SUSER_SID())"


@dataclass(frozen=True)
class Right:
    """Something that the login has to be allowed to do.

    Attributes:
        name: As SQL Server calls it.
        purpose: What does not go without it.
        grant: The statement that gives it, with `<login>` and `<database>` for their quoted names.
        question: A T-SQL expression that is 1 where the login has it; see `tsql_settings.rights`.
        in_database: True when it is asked in the database, which answers only while it is online.
    """

    name: str
    purpose: str
    grant: str
    question: str
    in_database: bool = False


RESTORES = Right(
    "server role dbcreator",
    "reading what a backup says of itself, restoring and attaching databases, taking them offline and online again",
    "ALTER SERVER ROLE [dbcreator] ADD MEMBER <login>",
    # Its owner may restore a database, too; members of its role db_owner may not.
    f"CASE WHEN {held('CREATE ANY DATABASE')} = 1 AND {held('ALTER ANY DATABASE')} = 1 "
    f"AND ({_IS_SYSADMIN} OR IS_SRVROLEMEMBER(N'dbcreator') = 1 OR {_OWNS}) THEN 1 ELSE 0 END",
)
SEES_SESSIONS = Right(
    "VIEW SERVER STATE",
    "seeing whether a backup or restore of an earlier attempt is still at work, who is in a database that is restored, "
    "how much room the server's volumes have, and by which certificate a database is encrypted",
    "GRANT VIEW SERVER STATE TO <login>",
    held("VIEW SERVER STATE"),
)
ENDS_SESSIONS = Right(
    "ALTER ANY CONNECTION",
    "ending statements of a run that was ended, and putting users out of a database that is restored",
    "GRANT ALTER ANY CONNECTION TO <login>",
    held("ALTER ANY CONNECTION"),
)
SEES_LOGINS = Right(
    "VIEW ANY DEFINITION",
    "telling users of a restored database who have no login any more, and the name of the certificate of an encrypted "
    "database",
    "GRANT VIEW ANY DEFINITION TO <login>",
    held("VIEW ANY DEFINITION"),
)
OWNS_DATABASE = Right(
    "database role db_owner",
    "BACKUP DATABASE and DBCC CHECKDB",
    "ALTER ROLE [db_owner] ADD MEMBER <login>",
    "HAS_PERMS_BY_NAME({quoted}, N'DATABASE', N'CONTROL')",
    in_database=True,
)

RIGHTS = (RESTORES, SEES_SESSIONS, ENDS_SESSIONS, SEES_LOGINS, OWNS_DATABASE)
"""All that Perennial needs of a login."""


def missing_rights(session: Session, database: str, among: Iterable[Right] = RIGHTS) -> tuple[Right, ...]:
    """Those rights that the session's login lacks for `database`, in their order.

    What only the database itself could answer, and it is not online, counts as given: nobody knows.
    """
    asked = {right.name: right for right in among}
    statement = tsql_settings.rights({name: right.question for name, right in asked.items()}, database)
    (row,) = session.run(statement)
    is_online = row["state_desc"] == ONLINE
    return tuple(right for name, right in asked.items() if row[name] != 1 and (is_online or not right.in_database))
