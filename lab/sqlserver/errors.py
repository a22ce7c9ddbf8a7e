# ruff: noqa: E501 - one message a line reads best
"""SQL Server's error numbers, severities and texts, and the exceptions that carry them to a client.

The texts are those of sys.messages in SQL Server 2022, with `{}` where a value goes. Source:
https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

UNSUPPORTED = 50000  # where user-defined numbers begin: the stand-in's own refusals, which no real server would give

# number: (severity, text); severity 0 is information (a server sends its severity 10 as 0), 11 and above is an error
MESSAGES: dict[int, tuple[int, str]] = {
    102: (15, "Incorrect syntax near '{}'."),
    103: (15, "The {} that starts with '{}' is too long. Maximum length is {}."),
    105: (15, "Unclosed quotation mark after the character string '{}'."),
    113: (15, "Missing end comment mark '*/'."),
    137: (15, 'Must declare the scalar variable "{}".'),
    155: (15, "'{}' is not a recognized {} option."),
    195: (15, "'{}' is not a recognized built-in function name."),
    201: (16, "Procedure or function '{}' expects parameter '@{}', which was not supplied."),
    207: (16, "Invalid column name '{}'."),
    208: (16, "Invalid object name '{}'."),
    229: (14, "The {} permission was denied on the object '{}', database '{}', schema '{}'."),
    241: (16, "Conversion failed when converting date and/or time from character string."),
    262: (14, "{} permission denied in database '{}'."),
    297: (16, "The user does not have permission to perform this action."),
    300: (14, "{} permission was denied on object 'server', database 'master'."),
    515: (16, "Cannot insert the value NULL into column '{}', table '{}'; column does not allow nulls. The statement has been terminated."),
    544: (16, "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF."),
    547: (16, "The statement conflicted with a {} constraint. The conflict occurred in database \"{}\". The statement has been terminated."),
    596: (21, "Cannot continue the execution because the session is in the kill state."),
    824: (24, "SQL Server detected a logical consistency-based I/O error in database '{}': {}. Restore the database from a backup."),
    911: (16, "Database '{}' does not exist. Make sure that the name is entered correctly."),
    916: (14, 'The server principal "{}" is not able to access the database "{}" under the current security context.'),
    924: (14, "Database '{}' is already open and can only have one user at a time."),
    927: (14, "Database '{}' cannot be opened. It is in the middle of a restore."),
    942: (14, "Database '{}' cannot be opened because it is offline."),
    952: (16, "Database '{}' is in transition. Try the statement later."),
    1039: (16, "Option '{}' is specified more than once."),
    1222: (16, "Lock request time out period exceeded."),
    1223: (16, "Cannot release the application lock (Database Principal: 'public', Resource: '{}') because it is not currently held."),
    1468: (16, 'The operation cannot be performed on database "{}" because it is involved in a database mirroring session or an availability group. Some operations are not allowed on a database that is participating in a database mirroring session or in an availability group.'),
    1767: (16, "Foreign key '{}' references invalid table '{}'."),
    1801: (16, "Database '{}' already exists. Choose a different database name."),
    1802: (16, "CREATE DATABASE failed. Some file names listed could not be created. Check related errors."),
    1813: (16, "Could not open new database '{}'. CREATE DATABASE is aborted."),
    1834: (16, "The file '{}' cannot be overwritten. It is being used by database '{}'."),
    2627: (14, "Violation of {} constraint. Cannot insert duplicate key in object '{}'. The duplicate key is in ({}). The statement has been terminated."),
    2714: (16, "There is already an object named '{}' in the database."),
    2812: (16, "Could not find stored procedure '{}'."),
    3011: (16, "All backup devices must be of the same general class (for example, DISK and TAPE)."),
    3013: (16, "{} is terminating abnormally."),
    3014: (0, "{} successfully processed {} pages in {:.3f} seconds ({:.3f} MB/sec)."),
    3021: (16, "Cannot perform a backup or restore operation within a transaction."),
    3023: (16, "Backup, file manipulation operations (such as ALTER DATABASE ADD FILE) and encryption changes on a database must be serialized. Reissue the statement after the current backup or file manipulation operation is completed."),
    3031: (16, "Option '{}' conflicts with option(s) '{}'. Remove the conflicting option and reissue the statement."),
    3035: (16, 'Cannot perform a differential backup for database "{}", because a current database backup does not exist. Perform a full database backup by reissuing BACKUP DATABASE, omitting the WITH DIFFERENTIAL option.'),
    3078: (16, 'The file name "{}" is invalid as a backup device name. Reissue the BACKUP statement with a valid file name.'),
    3101: (16, "Exclusive access could not be obtained because the database is in use."),
    3102: (16, "RESTORE cannot process database '{}' because it is in use by this session. It is recommended that the master database be used when performing this operation."),
    3104: (16, "RESTORE cannot operate on database '{}' because it is configured for database mirroring or has joined an availability group. If you intend to restore the database, use ALTER DATABASE to remove mirroring or to remove the database from its availability group."),
    3110: (14, "User does not have permission to RESTORE database '{}'."),
    3117: (16, "The log or differential backup cannot be restored because no files are ready to rollforward."),
    3118: (16, 'The database "{}" does not exist. RESTORE can only create a database when restoring either a full backup or a file backup of the primary file.'),
    3119: (16, "Problems were identified while planning for the RESTORE statement. Previous messages provide details."),
    3132: (16, "The media set has {} media families but only {} are provided. All members must be provided."),
    3135: (16, "The backup set in file '{}' was created by {} and cannot be used for this restore operation."),
    3136: (16, "This differential backup cannot be restored because the database has not been restored to the correct earlier state."),
    3142: (16, 'File "{}" cannot be restored over the existing file. Reissue the RESTORE statement using WITH REPLACE to overwrite pre-existing files.'),
    3145: (16, "The STOPAT option is not supported for databases that use the SIMPLE recovery model."),
    3147: (16, "Backup and restore operations are not allowed on database {}."),
    3153: (16, "The database is already fully recovered."),
    3154: (16, "The backup set holds a backup of a database other than the existing '{}' database."),
    3156: (16, "File '{}' cannot be restored to '{}'. Use WITH MOVE to identify a valid location for the file."),
    3159: (16, 'The tail of the log for the database "{}" has not been backed up. Use BACKUP LOG WITH NORECOVERY to backup the log if it contains work you do not want to lose. Use the WITH REPLACE or WITH STOPAT clause of the RESTORE statement to just overwrite the contents of the log.'),
    3169: (16, "The database was backed up on a server running version {}. That version is incompatible with this server, which is running version {}. Either restore the database on a server that supports the backup, or use a backup that is compatible with this server."),
    3187: (16, "RESTORE WITH CHECKSUM cannot be specified because the backup set does not contain checksum information."),
    3189: (16, "Damage to the backup set was detected."),
    3201: (16, "Cannot open backup device '{}'. Operating system error {}."),
    3202: (16, 'Write on "{}" failed: {}'),
    3203: (16, 'Read on "{}" failed: {}'),
    3204: (16, "The backup or restore was aborted."),
    3205: (16, "Too many backup devices specified for backup or restore; only {} are allowed."),
    3211: (0, "{} percent processed."),
    3217: (16, "Invalid value specified for {} parameter."),
    3227: (16, 'The backup media on "{}" is part of media family {} which has already been processed on "{}". Ensure that backup devices are correctly specified. For tape devices, ensure that the correct volumes are loaded.'),
    3234: (16, "Logical file '{}' is not part of database '{}'. Use RESTORE FILELISTONLY to list the logical file names."),
    3241: (16, "The media family on device '{}' is incorrectly formed. SQL Server cannot process this media family."),
    3254: (16, "The volume on device '{}' is empty."),
    3256: (16, "The backup set on device '{}' was terminated while it was being created and is incomplete. RESTORE sequence is terminated abnormally."),
    3257: (16, 'There is insufficient free space on disk volume "{}" to create the database. The database requires {} additional free bytes, while only {} bytes are available.'),
    3258: (16, 'The volume on the device "{}" is not part of the media set that is currently being processed. Ensure that the backup devices are loaded with the correct media.'),
    3262: (0, "The backup set on file 1 is valid."),
    3296: (16, "The backup device '{}' already exists and WITH FORMAT was not specified. Use WITH FORMAT to overwrite it."),
    3701: (11, "Cannot drop the {} '{}', because it does not exist or you do not have permission."),
    3702: (16, 'Cannot drop database "{}" because it is currently in use.'),
    3708: (16, "Cannot drop the database '{}' because it is a system database."),
    3709: (16, 'Cannot {} the database while the database snapshot "{}" refers to it. Drop that database first.'),
    3726: (16, "Could not drop object '{}' because it is referenced by a FOREIGN KEY constraint."),
    3752: (16, "The database '{}' is currently joined to an availability group. Before you can drop the database, you need to remove it from the availability group."),
    3902: (16, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3903: (16, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    4035: (0, "Processed {} pages for database '{}', file '{}' on file 1."),
    4060: (11, 'Cannot open database "{}" requested by the login. The login failed.'),
    4208: (16, "The statement {} is not allowed while the recovery model is SIMPLE. Use BACKUP DATABASE or change the recovery model using ALTER DATABASE."),
    4214: (16, "BACKUP LOG cannot be performed because there is no current database backup."),
    4305: (16, "The log in this backup set begins at LSN {}, which is too recent to apply to the database. An earlier log backup that includes LSN {} can be restored."),
    4319: (16, "A previous restore operation was interrupted and did not complete processing on file '{}'. Either restore the backup set that was interrupted or restart the restore sequence."),
    4322: (0, "This backup set contains records that were logged before the designated point in time. The database is being left in the restoring state so that more roll forward can be performed."),
    4326: (16, "The log in this backup set terminates at LSN {}, which is too early to apply to the database. A more recent log backup that includes LSN {} can be restored."),
    4330: (16, "This backup set cannot be applied because it is on a recovery path that is inconsistent with the database. The recovery path is the sequence of data and log backups that have brought the database to a particular recovery point. Find a compatible backup to restore, or restore the rest of the database to match a recovery point within this backup set, which will restore the database to a different point in time. For more information about recovery paths, see SQL Server Books Online."),
    4333: (16, "The database cannot be recovered because the log was not restored."),
    4335: (16, "The specified STOPAT time is too early. All or part of the database is already rolled forward beyond that point."),
    4338: (16, "The STOPAT clause specifies a point too early to allow this backup set to be restored. Choose a different stop point or use RESTORE DATABASE WITH RECOVERY to recover at the current point."),
    5011: (14, "User does not have permission to alter database '{}', the database does not exist, or the database is not in a state that allows access checks."),
    5030: (16, "The database could not be exclusively locked to perform the operation."),
    5052: (16, "{} is not permitted while a database is in the {} state."),
    5058: (16, "Option '{}' cannot be set in database '{}'."),
    5061: (16, "ALTER DATABASE failed because a lock could not be placed on database '{}'. Try again later."),
    5064: (16, "Changes to the state or options of database '{}' cannot be made at this time. The database is in single-user mode, and a user is currently connected to it."),
    5069: (16, "ALTER DATABASE statement failed."),
    5070: (16, "Database state cannot be changed while other users are using the database '{}'"),
    5120: (16, 'Unable to open the physical file "{}". Operating system error {}: "{}({})".'),
    5133: (16, 'Directory lookup for the file "{}" failed with the operating system error 2(The system cannot find the file specified.).'),
    5170: (16, "Cannot create file '{}' because it already exists. Change the file path or the file name, and retry the operation."),
    5171: (16, "{} is not a primary database file."),
    5172: (16, "The header for file '{}' is not a valid database file header. The {} property is incorrect."),
    5181: (16, 'Could not restart database "{}". Reverting to the previous status.'),
    5701: (0, "Changed database context to '{}'."),
    6005: (21, "SHUTDOWN is in progress."),
    6102: (14, "User does not have permission to use the KILL statement."),
    6104: (16, "Cannot use KILL to kill your own process."),
    6106: (16, "Process ID {} is not an active process ID."),
    7983: (14, "User '{}' does not have permission to run DBCC {} for database '{}'."),
    8179: (16, "Could not find prepared statement with handle {}."),
    8939: (16, "Table error in database '{}': {}."),
    8989: (0, "CHECKDB found 0 allocation errors and {} consistency errors in database '{}'."),
    9772: (16, "The Service Broker in database \"{}\" cannot be enabled because there is already an enabled Service Broker with the same ID."),
    15110: (16, "The proposed new database owner is already a user or aliased in the database."),
    15208: (16, "The certificate, asymmetric key, or private key file is not valid or does not exist; or you do not have permissions for it."),
    15232: (16, "A certificate with name '{}' already exists or this certificate already has been added to the database."),
    15352: (16, "The certificate cannot be dropped because one or more entities are either signed or encrypted using it."),
    22902: (16, "Caller is not authorized to initiate the requested action. Sysadmin privileges are required."),
    33103: (16, "A database encryption key already exists for this database."),
    33105: (16, "Cannot drop the database encryption key because it is currently in use. Database encryption needs to be turned off to be able to drop the database encryption key."),
    33107: (16, "Cannot enable database encryption because it is already enabled or there is no database encryption key."),
    33111: (16, "Cannot find server certificate with thumbprint '0x{}'."),
    15007: (16, "'{}' is not a valid login or you do not have permission."),
    15063: (16, "The login already has an account under a different user name."),
    15151: (16, "Cannot find the {} '{}', because it does not exist or you do not have permission."),
    15023: (16, "User, group, or role '{}' already exists in the current database."),
    15025: (16, "The server principal '{}' already exists."),
    15247: (16, "User does not have permission to perform this action."),
    15530: (16, "The credential with name \"{}\" already exists."),
    17809: (20, "Could not connect because the maximum number of '{}' user connections has already been reached. The system administrator can use sp_configure to increase the maximum value. The connection has been closed."),
    18456: (14, "Login failed for user '{}'."),
    0: (0, "{}"),  # PRINT
    UNSUPPORTED: (16, "The lab's stand-in for SQL Server does not know {}. A real server may; the lab knows what Perennial sends."),
}  # fmt: skip


@dataclass(frozen=True)
class Message:
    """One message as TDS carries it: `severity` 0-10 informs, 11-19 is an error, 20 and above ends the connection."""

    number: int
    severity: int
    state: int
    text: str


def message(number: int, *values: object, state: int = 1) -> Message:
    """The message of that number with `values` filled in."""
    severity, text = MESSAGES[number]
    return Message(number, severity, state, text.format(*values))


class SqlServerError(Exception):
    """A statement failed; `messages` go to the client in this order, the cause first."""

    def __init__(self, number: int, *values: object, state: int = 1) -> None:
        self.messages = [message(number, *values, state=state)]
        super().__init__(self.messages[0].text)

    def then(self, number: int, *values: object, state: int = 1) -> SqlServerError:
        """This same error with one more message behind it."""
        self.messages.append(message(number, *values, state=state))
        return self


class Cause(Enum):
    """Why a running statement must stop."""

    CANCELLED = "the client sent an attention"
    CLIENT_GONE = "the client is gone"
    KILLED = "the session was killed"
    STOPPING = "the server is stopping"


class Interrupted(Exception):  # noqa: N818 - not a fault of the statement
    """The running statement must stop at once; `messages` is what the client, if any, is still told."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause
        self.messages: list[Message] = []
