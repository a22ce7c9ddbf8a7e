"""The .bak of a recovery point: the files (stripes) that it is written to, their names, and what was stored of it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from include.rules.errors import RefusedError
from include.rules.register.tenants import Strict

MB = 1024 * 1024

MOST_STRIPES = 64
"""How many files one backup is written to at most (learn.microsoft.com, "BACKUP (Transact-SQL)")."""

LARGEST_STRIPE_MB = 100_000
"""What one file in S3 holds: 10,000 parts of 10 MB, the default MAXTRANSFERSIZE (learn.microsoft.com, "SQL Server back
up to URL for S3-compatible object storage")."""


class FileType(StrEnum):
    """What a file of a database holds; the values are `type_desc` of sys.database_files in small letters."""

    ROWS = "rows"
    LOG = "log"
    FILESTREAM = "filestream"
    FULLTEXT = "fulltext"


class DatabaseFile(Strict):
    """One file of a database, as the server had it when the .bak was made; no size where nobody has noted it."""

    logical_name: str
    physical_path: str
    type: FileType
    size_bytes: int | None = Field(default=None, ge=0)


class StoredFile(Strict):
    """One file of a .bak as the object store describes it.

    Attributes:
        key: Key of the object in the vault, below the vault's prefix.
        etag: The object's ETag (no MD5: it was written in parts).
        checksum: Checksums that the store keeps of the object, by algorithm; empty where it keeps none.
    """

    key: str
    size_bytes: int = Field(ge=0)
    etag: str
    checksum: dict[str, str] = Field(default_factory=dict)


class BackupFileClaim(Strict):
    """The file names that one BACKUP DATABASE statement may write to, recorded before the statement starts.

    Attributes:
        number: Counts the claims of this recovery point; never used twice.
        keys: Keys of the objects in the vault, in the order of the statement's URLs; one for each stripe.
        name: The backup's NAME in its header and in msdb: how a finished backup is recognised after any crash.
        discarded: True when what was written there must not be adopted (damaged, or too old for a new attempt).
        met_limit: True when its files could not hold the backup: the next claim has more of them.
    """

    number: int = Field(ge=1)
    keys: tuple[str, ...] = Field(min_length=1, max_length=MOST_STRIPES)
    name: str = Field(max_length=128)
    claimed_at: AwareDatetime
    discarded: bool = False
    met_limit: bool = False


class BackupFilePart(Strict):
    """One finished .bak, as msdb and the object store describe it.

    Attributes:
        files: Its stripes, in the order of the claim; the .bak is worth nothing without any one of them.
        first_lsn, last_lsn: Log sequence numbers, numeric(25,0) as decimal text.
    """

    number: int
    files: tuple[StoredFile, ...] = Field(min_length=1, max_length=MOST_STRIPES)
    name: str
    backup_set_uuid: str
    first_lsn: str
    last_lsn: str
    copy_only: bool
    started_at: AwareDatetime
    finished_at: AwareDatetime

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its files in the vault."""
        return tuple(file.key for file in self.files)

    @property
    def size_bytes(self) -> int:
        """Size of all its files."""
        return sum(file.size_bytes for file in self.files)


def stem_of(number: int) -> str:
    """What the names of all files of the claim `number` begin with."""
    return f"full-{number:02d}"


def file_names(number: int, stripes: int) -> tuple[str, ...]:
    """Names for the files of the claim `number`: `full-01.bak`, or `full-01-01.bak`, `full-01-02.bak` and so on."""
    if stripes == 1:
        return (f"{stem_of(number)}.bak",)
    return tuple(f"{stem_of(number)}-{stripe:02d}.bak" for stripe in range(1, stripes + 1))


def stripes_after(claim: BackupFileClaim | None, needed: int) -> int:
    """How many files the next claim has: `needed`, but twice as many as the last one had when that was too few."""
    if claim is None or not claim.met_limit:
        return needed
    return min(MOST_STRIPES, max(needed, 2 * len(claim.keys)))


def stripes_needed(tenant: str, used_bytes: int, stripe_bytes: int) -> int:
    """How many files the .bak of a database is written to.

    Args:
        used_bytes: What the database has in use, data and log; compression is not counted on.
        stripe_bytes: How much of that one file is to take.

    Raises:
        RefusedError: when it needs more files than SQL Server writes.
    """
    needed = max(1, -(-used_bytes // stripe_bytes))
    if needed <= MOST_STRIPES:
        return needed
    raise RefusedError(
        f"The database of tenant {tenant} has {used_bytes / MB:,.0f} MB in use: in files of {stripe_bytes / MB:,.0f} "
        f"MB its .bak would have {needed}, and SQL Server writes at most {MOST_STRIPES}.",
        why="The database was not backed up.",
        todo=f"Raise PERENNIAL_STRIPE_MB; with its largest value, {LARGEST_STRIPE_MB:,}, "
        f"{MOST_STRIPES * LARGEST_STRIPE_MB:,} MB can be backed up to S3.",
    )
