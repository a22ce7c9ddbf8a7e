"""The table of SQL Server's errors: numbers decide, in every language; what is not known is never damage."""

from __future__ import annotations

import pymssql
import pytest

from perennial.hooks.sql_server.errors import ServerMessage, SqlServerError
from perennial.hooks.sql_server.faults import Device, Fault, device_of, fault_of, system_number

FILE, URL = "D:\\backup 5(old).bak", "s3://store:9000/vault/acme 87(1).bak"

TEXTS = {
    3201: "Cannot open backup device '{}'. Operating system error {}.",
    3202: 'Write on "{}" failed: {}',
    3203: 'Read on "{}" failed: {}',
    3271: 'A nonrecoverable I/O error occurred on file "{}:" {}.',
    823: (
        "The operating system returned error {1} to SQL Server during a read at offset 0x00000000012000 in file '{0}'."
    ),
}


def told(number: int, device: str, system: int) -> Fault:
    return fault_of(number, TEXTS[number].format(device, f"{system}(whatever the language)"), 16)


@pytest.mark.parametrize(
    ("system", "fault"),
    [
        *((number, Fault.TRANSIENT) for number in (32, 53, 59, 64, 121, 995, 1231, 1236, 10054, 10060, 12002, 12030)),
        *((number, Fault.RIGHTS) for number in (2, 3, 5, 50, 86, 1326, 12175)),
        *((number, Fault.LIMIT) for number in (665, 1450)),
        *((number, Fault.SPACE) for number in (39, 112)),
        *((number, Fault.UNKNOWN) for number in (1, 31, 433, 9999)),
    ],
)
@pytest.mark.parametrize("number", sorted(TEXTS))
@pytest.mark.parametrize("device", [FILE, URL])
def test_the_operating_systems_number_decides(number: int, device: str, system: int, fault: Fault) -> None:
    assert told(number, device, system) is fault


@pytest.mark.parametrize("number", [3201, 3203, 3271, 823])
@pytest.mark.parametrize("system", [23, 38, 1392])
def test_what_cannot_be_read_to_its_end_is_damaged(number: int, system: int) -> None:
    assert told(number, FILE, system) is told(number, URL, system) is Fault.DAMAGE


@pytest.mark.parametrize("device", [FILE, URL])
@pytest.mark.parametrize("system", [23, 38, 1117])
def test_a_write_that_fails_is_never_damage(device: str, system: int) -> None:
    assert told(3202, device, system) is not Fault.DAMAGE


@pytest.mark.parametrize(
    ("number", "device", "system", "fault"),
    [
        (3202, URL, 87, Fault.LIMIT),
        (3202, URL, 1117, Fault.LIMIT),
        (3271, URL, 1117, Fault.LIMIT),
        (3202, FILE, 87, Fault.UNKNOWN),
        (3202, FILE, 1117, Fault.UNKNOWN),
        (3203, FILE, 1117, Fault.DAMAGE),
        (823, FILE, 1117, Fault.DAMAGE),
    ],
)
def test_the_same_number_means_another_thing_for_another_device(
    number: int, device: str, system: int, fault: Fault
) -> None:
    assert told(number, device, system) is fault


@pytest.mark.parametrize(
    ("message", "number", "device"),
    [
        ("Cannot open backup device 's3://h/b/x 5(1).bak'. Operating system error 38(Reached the end.).", 38, "url"),
        ("Das Sicherungsmedium 's3://h/x' kann nicht geöffnet werden. Betriebssystemfehler 38.", 38, "url"),
        ("Impossible d'ouvrir l'unité 's3://h/o'brien (2).bak'. Erreur du système d'exploitation 5(Accès).", 5, "url"),
        ("无法打开备份设备 'E:\\备份.bak'。操作系统错误112(磁盘空间不足。)。", 112, "file"),
        (
            'Unable to open the physical file "D:\\a 3(x).mdf". Operating system error 5: "5(Access is denied.)".',
            5,
            "file",
        ),
        ('Write on "s3://h:9000/b" failed: 64(failed to retrieve text for this error. Reason: 15105)', 64, "url"),
        ('Read on "HTTPS://h/b" failed: 1236', 1236, "url"),
        ('A nonrecoverable I/O error occurred on file "C:\\2024.bak:" something went wrong.', None, "file"),
    ],
)
def test_the_operating_systems_number_is_found_in_every_language(message: str, number: int | None, device: str) -> None:
    assert system_number(message) == number
    assert device_of(message) is Device(device)


@pytest.mark.parametrize(
    ("status", "fault"), [(503, Fault.TRANSIENT), (403, Fault.RIGHTS), (404, Fault.RIGHTS), (413, Fault.LIMIT)]
)
def test_a_store_that_answers_over_http_is_told_apart_by_its_status(status: int, fault: Fault) -> None:
    said = f"Backup to URL received an exception. Exception Message: The remote server returned an error: ({status}) X."
    assert fault_of(3271, TEXTS[3271].format("https://store/vault/a.bak", said), 16) is fault


@pytest.mark.parametrize(
    ("fault", "numbers"),
    [
        (
            Fault.TRANSIENT,
            (1205, 1222, 701, 802, 845, 3023, 3101, 17187, 18401, 904, 922, 952, 10928, 10929, 20009, 596),
        ),
        (Fault.DAMAGE, (3183, 3189, 3241, 3256, 3132, 824, 8939, 8928, 2533, 3043, 5242, 9003)),
        (Fault.RIGHTS, (262, 229, 3110, 916, 911, 4060, 18456, 18486, 3288, 33111)),
        (Fault.LIMIT, (3063, 3205, 3238)),
        (Fault.SPACE, (1105, 9002, 3257, 5128)),
        (Fault.UNKNOWN, (3013, 3119, 5069, 3169, 3154, 1468, 926, 927, 942, 8921, 8967, 8907, 7926, 2526)),
    ],
)
def test_a_number_of_its_own_decides(fault: Fault, numbers: tuple[int, ...]) -> None:
    assert {number: fault_of(number) for number in numbers} == dict.fromkeys(numbers, fault)


@pytest.mark.parametrize(
    ("number", "severity", "fault"),
    [
        (2571, 14, Fault.RIGHTS),
        (7983, 14, Fault.RIGHTS),
        (2557, 14, Fault.RIGHTS),
        (8902, 17, Fault.TRANSIENT),
        (8954, 17, Fault.LIMIT),
        (8939, 16, Fault.DAMAGE),
        (8966, 22, Fault.DAMAGE),
        (8939, 17, Fault.LIMIT),
        (2534, 14, Fault.RIGHTS),
        (921, 14, Fault.TRANSIENT),
        (3013, 14, Fault.RIGHTS),
        (3013, 16, Fault.UNKNOWN),
    ],
)
def test_the_severity_counts(number: int, severity: int, fault: Fault) -> None:
    assert fault_of(number, "", severity) is fault


def test_what_nobody_knows_is_never_damage() -> None:
    known = {n for n in range(1, 60_000) if fault_of(n) is Fault.DAMAGE}
    assert len(known) < 200
    for number in set(range(2500, 2600)) | set(range(7900, 8000)) | set(range(8900, 9000)) | set(range(3000, 3300)):
        for severity in (14, 17, 19):
            assert fault_of(number, "", severity) is not Fault.DAMAGE
    assert fault_of(823) is fault_of(3203) is fault_of(3201, "Cannot open it.") is Fault.UNKNOWN


def test_a_missing_right_is_known_from_the_severity_of_the_cause() -> None:
    """pymssql raises the severest error, 3013; the cause, whose number nobody hands on, has severity 14."""
    raised = pymssql.OperationalError(3013, b"RESTORE DATABASE wird fehlerbedingt beendet.")
    heard = [ServerMessage(14, "Berechtigung verweigert."), ServerMessage(16, "RESTORE DATABASE wird beendet.")]
    error = SqlServerError.of(raised, heard)
    assert error.fault is Fault.RIGHTS
    assert "Berechtigung" in str(error)


@pytest.mark.parametrize("said", ["Could not set connection properties", "Not connected to any MS SQL server"])
def test_a_server_that_hangs_up_is_a_lost_connection(said: str) -> None:
    error = SqlServerError.of(pymssql.OperationalError(said))
    assert error.lost_connection
    assert error.is_transient
    assert "connection is gone" in str(error)


def test_a_damaged_backup_is_told_from_a_damaged_database() -> None:
    backup = SqlServerError(3203, TEXTS[3203].format(URL, "38(Reached the end of the file.)"))
    database = SqlServerError(823, TEXTS[823].format(FILE, "38(Reached the end of the file.)"))
    assert (backup.is_damage, backup.is_corruption) == (True, False)
    assert (database.is_damage, database.is_corruption) == (False, True)
    assert SqlServerError(3043, "BACKUP detected an error on page (1:9) in file 'a'.", 16).is_corruption
