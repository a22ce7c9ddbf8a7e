"""The table of SQL Server's errors: what kind of fault a number tells of, with the operating system's number beside it.

Sources: learn.microsoft.com, "Database Engine events and errors" (numbers, severities, texts of sys.messages), "System
Error Codes" and "Error Messages (Winhttp.h)" (the numbers in brackets), "SQL Server back up to URL for S3-compatible
object storage" (50, 87, limits of parts), MSSQLSERVER_665 (665 and 1450: sparse files), "DBCC CHECKDB"; freetds.org for
the client's own numbers (20000 and above).

Texts are in the language of the login, numbers are not: only numbers are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum


class Fault(StrEnum):
    """What kind of fault an error tells of; what is not known to be another kind is UNKNOWN, and never DAMAGE."""

    TRANSIENT = "transient"  # the same may succeed later: network, somebody else at work, memory, a server that starts
    DAMAGE = "damage"  # what was read is not whole: a backup, or a database's own files
    RIGHTS = "rights"  # a right is missing, or the place that was named is none: it stays so until a person acts
    LIMIT = "limit"  # a count or a size is at its end: the same again is refused again
    SPACE = "space"  # a disk, a file or a log is full
    UNKNOWN = "unknown"


class Device(StrEnum):
    """Where it was read or written: an operating system's number may mean another thing in another place."""

    FILE = "file"
    URL = "url"


CONNECTION = frozenset(
    {20002, 20003, 20004, 20006, 20009, 20012, 20013, 20017, 20047}  # the client: no answer, no host, hung up, time-out
    | {233, 596, 6005, 10053, 10054, 10060, 10061}  # the server: killed, shutting down, reset
)
"""The connection is gone or was never made: the statement may have ended or not."""

BACKUP_DAMAGE = frozenset(
    {3143, 3182, 3183, 3186, 3187, 3189, 3208, 3241, 3242, 3243, 3254, 3256, 3266, 3287}  # not whole
    | {3132, 3227, 3231, 3249, 3258}  # its files do not belong together, or some are missing
)
"""A backup is not whole."""

CORRUPTION = frozenset(
    {211, 605, 608, 610, 824, 829, 5125, 5171, 5172, 5173, 7105}  # on reading
    | {3301, 3302, 3313, 3314, 3414, 3448, 3456, 9003, 9004}  # on recovery
    | {3043, 3049, 3053}  # on BACKUP WITH CHECKSUM
    | {2511, 2512, 2515, 2531, 2533, 2534, 2535, 2537, 2570, *range(2574, 2580)}  # DBCC CHECKDB, from here on
    | {5228, 5229, 5233, 5242, 5243, 5250, 5256, 5260, 5262, 5274}
    | {*range(7902, 7909), *range(7931, 7934), *range(7935, 7939), 7941, 7956, 7959, 7961, 7963, 7965, 7967, 7973, 7976}
    | {7981, *range(7984, 7989), 7991, 7995}
    | {8901, 8903, 8904, 8905, 8906, 8909, 8910, 8913, 8919, *range(8925, 8949), 8951, 8952, 8955, 8956}
    | {*range(8959, 8967), *range(8968, 8975), *range(8976, 8983), 8984, 8985, 8986, 8988, *range(8992, 8999)}
)
"""A database's own files are damaged. Their neighbours in the same ranges are something else: a right that CHECKDB
lacks (2557, 2571, 7983), memory (8902), no room in tempdb (8921), a fault of the check itself (8967)."""

SUMMARIES = frozenset({598, 1802, 1813, 3013, 3041, 3119, 5069, 5181})
"""Numbers that only say that a statement has failed: the cause came before, under a number of its own."""

_FILE_LIMITS = frozenset({3063, 3236, 3238})
"""Numbers by which SQL Server says that one file of a backup cannot hold what is to be written to it."""

IN_USE = frozenset({924, 3702, 5030, 5061, 5064, 5070})
"""Somebody is in a database that a statement needs to itself."""

_BY_NUMBER: Mapping[Fault, frozenset[int]] = {
    Fault.TRANSIENT: CONNECTION
    | {17142, 17187, 17188, 17189, 17191, 17197, 18401, 18451, 18461}  # the server starts, stops or is being upgraded
    | {10928, 10929, 10936, 17300, 17809, 17810, 18458, 18459, 18460}  # too many connections
    | {4221, 40197, 40501, 40613, 49918, 49919, 49920}  # the same, said by managed servers
    | {701, 802, 845, 1204, 1205, 1222, 3224, 3260, 3267, 8628, 8645, 8651, 8675, 8902}  # memory, locks, threads
    | {615, 904, 913, 921, 922, 941, 952, 955, 956, 983, 2598, 5059}  # a database that is just starting
    | IN_USE
    | {1807, 3023, 3101, 5034, 5065}  # somebody else is at work on it, or on model
    | {3204, 3229, 3230, 3295, 3296},  # aborted, timed out; or the file is taken, which the next one is not
    Fault.DAMAGE: BACKUP_DAMAGE | CORRUPTION,
    Fault.RIGHTS: frozenset(
        {229, 230, 262, 297, 300, 911, 916, 923, 2557, 2571, 3078, 3110, 3233, 3265, 3279, 3288, 3289, 4060, 5011}
        | {6102, 7983, 15151, 15247, 18452, 18456, 18470, 18486, 18487, 18488, 20014, 33111}
    ),
    Fault.LIMIT: _FILE_LIMITS | {1827, 3205, 3214, 5033, 5150, 5192, 8657},
    Fault.SPACE: frozenset({1101, 1105, 1121, 1803, 3140, 3257, 5128, 9002}),
    # Severity 14 means a right, but not in these: states of a database, and duplicate keys.
    Fault.UNKNOWN: SUMMARIES - {3013} | {926, 927, 942, 943, 946, 954, 976, 978, 979, 2601, 2627},
}

_WRITES = frozenset({3202, 5149})
"""Numbers of a write that failed. Whatever the disk says then, nothing has been found damaged."""

WITH_SYSTEM_NUMBER = _WRITES | {
    823,
    3017,
    3061,
    3201,
    3203,
    3271,
    3290,
    3298,
    3634,
    5120,
    5123,
    5133,
    5139,
    5143,
    5159,
}
"""Numbers that name a device, and the operating system's number; alone they do not say what is at fault."""

_TLS = frozenset({12037, 12038, 12044, 12045, 12055, 12057, 12157, 12169, 12170, 12175, 12179})

_SYSTEM: Mapping[Fault, frozenset[int]] = {
    Fault.TRANSIENT: frozenset(
        {51, 53, 54, 55, 56, 58, 59, 64, 71, 121, 240, 1222, 1225, *range(1227, 1238), 1460}  # the network
        | {*range(10050, 10066), 11001, 11002}  # sockets, name resolution
        | (set(range(12001, 12191)) - _TLS - {12005, 12006})  # HTTP
        | {8, 14, 32, 33, 170, 995, 1453, 1455}  # memory, in use by somebody else, aborted
    ),
    Fault.DAMAGE: frozenset({23, 27, 38, 1392, 1393}),  # checksum, sector, short file, unreadable
    Fault.RIGHTS: frozenset(
        {2, 3, 15, 50, 66, 67, 123, 161, 206, 12005, 12006}  # the place
        | {5, 19, 65, 86, 1219, 1314, 1326, 1327, 1330, 1331, 1385, 1907, 1909}  # the right
        | _TLS  # the certificate of the place
    ),
    Fault.LIMIT: frozenset({223, 665, 1450}),
    Fault.SPACE: frozenset({39, 112, 1295}),
}
_SYSTEM_BY_DEVICE: Mapping[Device, Mapping[Fault, frozenset[int]]] = {
    Device.FILE: {Fault.DAMAGE: frozenset({1117})},  # the hardware could not read it
    Device.URL: {Fault.LIMIT: frozenset({87, 1117})},  # more parts, or larger ones, than the store takes
}
_HTTP: Mapping[Fault, frozenset[int]] = {
    Fault.TRANSIENT: frozenset({408, 409, 412, 429, 500, 502, 503, 504}),
    Fault.RIGHTS: frozenset({400, 401, 403, 404}),
    Fault.LIMIT: frozenset({413}),
    Fault.SPACE: frozenset({507}),
}
_BY_SEVERITY = {14: Fault.RIGHTS, 17: Fault.LIMIT, 19: Fault.LIMIT}
"""What a severity says of a number that is not in the table ("Database Engine error severities")."""

ADVICE: Mapping[Fault, str] = {
    Fault.TRANSIENT: "Wait until the server, its network and its storage answer again",
    Fault.DAMAGE: "Take another source, for this one is damaged",
    Fault.RIGHTS: "Grant the right that SQL Server misses, or correct the place that it names",
    Fault.LIMIT: "Raise the limit that SQL Server has met, or keep below it",
    Fault.SPACE: "Make room where SQL Server has none left",
    Fault.UNKNOWN: "Mend what SQL Server complains about",
}
_ADVICE_BY_NUMBER = {
    262: "Give the connection's login the role db_backupoperator in the database",
    911: "Check the database's name in tenants.yaml",
    916: "Give the connection's login a user in the database, with the role db_backupoperator",
    3201: "Check that the vault's bucket exists and that SQL Server has a CREDENTIAL for it (README, first steps)",
    18456: "Check login and password of the Airflow connection",
    33111: "Restore the certificate that the database or the backup was encrypted with",
}

_LETTER = "A-Za-zÀ-ÿ0-9"
_QUOTED = re.compile(rf"(?<![{_LETTER}])['\"«„“「](?!\d+\s*[(（]).*?['\"»“”」](?![{_LETTER}])")
_BEFORE_BRACKET = re.compile(rf"(?<![{_LETTER}.])(\d{{1,5}})\s*[(（]")
_IN_BRACKETS = re.compile(r"\((\d{3})\)")
_BARE = re.compile(rf"(?<![{_LETTER}.])(\d{{1,5}})(?![{_LETTER}])")


def fault_of(number: int, message: str = "", severity: int = 0) -> Fault:
    """What kind of fault an error of SQL Server tells of.

    Args:
        number: Its number.
        message: Its text in any language; read only where the number has an operating system's number beside it.
        severity: As the server sent it; 0 where it is not known. For one of SUMMARIES that of the cause.
    """
    if number in WITH_SYSTEM_NUMBER:
        fault = _system_fault(message)
        return Fault.UNKNOWN if fault is Fault.DAMAGE and number in _WRITES else fault
    by_severity = _BY_SEVERITY.get(severity, Fault.UNKNOWN)
    fault = _find(_BY_NUMBER, number) or by_severity
    # True corruption has severity 16 or is fatal: in another version the number may stand for something else.
    return by_severity if fault is Fault.DAMAGE and severity in _BY_SEVERITY else fault


def system_number(message: str) -> int | None:
    """The operating system's number in a message, whatever its language: `5(Access is denied.)`, or the bare 5."""
    text = _QUOTED.sub(" ", message)  # the device's name may have numbers and brackets of its own
    if found := _BEFORE_BRACKET.search(text):
        return int(found[1])
    if _IN_BRACKETS.search(text):
        return None
    found = _BARE.search(text)
    return int(found[1]) if found else None


def meets_file_limit(number: int, message: str) -> bool:
    """True when one file of a backup has met the limit of what it can hold in its store: more files hold more."""
    met = number in WITH_SYSTEM_NUMBER and device_of(message) is Device.URL and _system_fault(message) is Fault.LIMIT
    return met or number in _FILE_LIMITS


def device_of(message: str) -> Device:
    """What kind of device a message is about."""
    return Device.URL if re.search(r"\b(s3|https?)://", message, re.IGNORECASE) else Device.FILE


def advice_for(number: int, fault: Fault) -> str:
    """What an operator does about it: the beginning of a sentence, to which the caller adds what comes then."""
    specific = fault in (Fault.RIGHTS, Fault.UNKNOWN) and _ADVICE_BY_NUMBER.get(number)
    return specific or ADVICE[fault]


def _system_fault(message: str) -> Fault:
    device, number = device_of(message), system_number(message)
    if number is None:
        status = _IN_BRACKETS.search(_QUOTED.sub(" ", message))
        return (status and device is Device.URL and _find(_HTTP, int(status[1]))) or Fault.UNKNOWN
    return _find(_SYSTEM_BY_DEVICE[device], number) or _find(_SYSTEM, number) or Fault.UNKNOWN


def _find(table: Mapping[Fault, Iterable[int]], number: int) -> Fault | None:
    return next((fault for fault, numbers in table.items() if number in numbers), None)
