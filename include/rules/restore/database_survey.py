"""What is found of the database and its .bak before a restore touches anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from include.rules.points.backup_files import DatabaseFile
from include.rules.points.database_settings import DatabaseSettings
from include.rules.restore.database_places import Folders
from include.rules.restore.server_facts import ServerFacts


class Need(StrEnum):
    """What a login has to be allowed to do for a restore."""

    CREATE = "make a database"
    RESTORE_OVER = "restore over the database and bring it online again"
    REPLACE = "drop the database"
    PUT_OUT = "put out whoever holds the only place in it"


@dataclass(frozen=True)
class DatabaseTies:
    """What ties a database down.

    Attributes:
        snapshots: The database snapshots that refer to it.
        in_group: It has joined an availability group.
    """

    snapshots: tuple[str, ...] = ()
    in_group: bool = False
    is_mirrored: bool = False
    is_published: bool = False
    is_read_only: bool = False


@dataclass(frozen=True)
class ServerLimits:
    """What a server takes, and where it puts new databases.

    Attributes:
        folders: For new databases, then where those of its own databases lie.
        version: Its own, as it writes it.
        database_version: That of its databases' format; 0 when it does not say.
        edition: SERVERPROPERTY('EngineEdition'); 4 is Express.
    """

    folders: tuple[Folders, ...] = ()
    version: str = ""
    database_version: int = 0
    edition: int = 0
    takes_filestream: bool = True
    takes_memory_optimised: bool = True

    @property
    def all_folders(self) -> tuple[str, ...]:
        """Every folder that new files may go to."""
        return tuple(folder for pair in self.folders for folder in (pair.data, pair.log))


@dataclass(frozen=True)
class BackedUpFile:
    """A file of the database inside a backup; `type` as RESTORE FILELISTONLY has it: D, L, S (container), F (text)."""

    logical_name: str
    physical_path: str
    type: str
    size_bytes: int


@dataclass(frozen=True)
class BackupFacts:
    """What a .bak says of itself.

    Attributes:
        version: Of the server that made it.
        database_version: Of the database's format.
        files: What is in it; empty while it is not known.
        etags: Of its stripes in the vault as they were read, in their order.
    """

    version: str = ""
    database_version: int = 0
    files: tuple[BackedUpFile, ...] = ()
    etags: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatabaseSurvey:
    """What was found on the database server.

    Attributes:
        state: State of the database of that name on the server, empty when there is none.
        access: MULTI_USER, RESTRICTED_USER or SINGLE_USER; empty when there is none.
        bytes: Size of its files.
        files: Where they lie.
        home: Where new ones belong that take its place.
        ties: What ties it down.
        lacks: What the login may not do, and the statement that would let it.
        limits: What the server takes, and where it puts new databases.
        free_bytes: Free bytes by the mount point of a volume; None when the server does not say.
        gone: Folders that are known not to be there.
        backup: What the .bak says of itself; None when nobody has asked it.
        backup_file: Why the .bak cannot be restored from; empty when it can.
        settings: What lies around its data now; None when there is none, or nobody has asked.
        server: What the server is and lets the login do; None when nobody has asked.
    """

    state: str = ""
    access: str = ""
    bytes: int = 0
    files: tuple[DatabaseFile, ...] = ()
    home: tuple[Folders, ...] = ()
    ties: DatabaseTies = field(default_factory=DatabaseTies)
    lacks: Mapping[Need, str] = field(default_factory=dict)
    limits: ServerLimits = field(default_factory=ServerLimits)
    free_bytes: Mapping[str, int] | None = None
    gone: frozenset[str] = frozenset()
    backup: BackupFacts | None = None
    backup_file: str = ""
    settings: DatabaseSettings | None = None
    server: ServerFacts | None = None
