"""Backups of the SQL Server stand-in to an S3 store: credentials, uploads in parts, refusals, what is left behind."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import pymssql
import pytest

from lab.faults.counts import BY_SQL_SERVER
from lab.faults.measures import CALLS
from lab.testing.deadlines import within
from lab.testing.sql_server import LabSqlServer
from lab.testing.storage import LabStorage
from tests.lab.sqlserver.backups import refusal

pytestmark = pytest.mark.lab

WAIT_SECONDS = within(15)


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    name = lab_sql_server.new_database()
    lab_sql_server.run("CREATE TABLE t (a INT, b VARBINARY(MAX))", "INSERT INTO t VALUES (1, 0x01)", database=name)
    return name


@pytest.fixture
def prefix(lab_sql_server: LabSqlServer, lab_storage: LabStorage) -> str:
    """The URL of a folder in the store, with a credential for it alone."""
    url = f"s3://127.0.0.1:{lab_storage.settings.storage_port}/{lab_storage.bucket}/{lab_storage.new_prefix()}"
    secret = f"{lab_storage.settings.access_key}:{lab_storage.settings.secret_key}"
    ensure = (
        f"IF NOT EXISTS (SELECT 1 FROM sys.credentials WHERE name = N'{url}') "
        f"CREATE CREDENTIAL [{url}] WITH IDENTITY = N'S3 Access Key', SECRET = N'{secret}'"
    )
    lab_sql_server.run(ensure, ensure)
    return url


def key_of(url: str) -> str:
    return url.split("/", 4)[4]


def uploads(storage: LabStorage, url: str) -> list[str]:
    """The unfinished uploads below a folder's URL."""
    listed = storage.client().list_multipart_uploads(Bucket=storage.bucket).get("Uploads", [])
    return [upload["Key"] for upload in listed if upload["Key"].startswith(key_of(url))]


def test_a_backup_goes_to_the_store_and_comes_back(
    lab_sql_server: LabSqlServer, lab_storage: LabStorage, database: str, prefix: str
) -> None:
    url = f"{prefix}full-01.bak"
    lab_sql_server.run(
        f"BACKUP DATABASE [{database}] TO URL = N'{url}' WITH NAME = N'{database}', CHECKSUM, COMPRESSION, STATS = 5"
    )
    stored = lab_storage.client().head_object(Bucket=lab_storage.bucket, Key=key_of(url))
    ((size,),) = lab_sql_server.run(f"SELECT compressed_backup_size FROM msdb.dbo.backupset WHERE name = N'{database}'")
    assert 0 < size <= stored["ContentLength"] < size + 4096  # the trailer comes on top
    lab_sql_server.run(f"RESTORE VERIFYONLY FROM URL = N'{url}' WITH CHECKSUM")
    assert lab_sql_server.run(f"RESTORE HEADERONLY FROM URL = N'{url}'")[0][0] == database
    assert len(lab_sql_server.run(f"RESTORE FILELISTONLY FROM URL = N'{url}'")) == 2
    lab_sql_server.run(
        f"DROP DATABASE [{database}]", f"RESTORE DATABASE [{database}] FROM URL = N'{url}' WITH CHECKSUM"
    )
    assert lab_sql_server.run("SELECT a, b FROM t", database=database) == [(1, b"\x01")]


def test_the_store_counts_the_server_s_own_requests_apart(
    lab_sql_server: LabSqlServer, lab_storage: LabStorage, database: str, prefix: str
) -> None:
    def counts() -> Counter[str]:
        return Counter(lab_storage.faults.call("GET", CALLS)["calls"])

    before = counts()
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO URL = N'{prefix}full-01.bak' WITH CHECKSUM")
    more = counts() - before
    assert more
    assert all(name.endswith(BY_SQL_SERVER) for name in more)


def test_a_large_backup_goes_in_parts(
    lab_sql_server: LabSqlServer, lab_storage: LabStorage, database: str, prefix: str
) -> None:
    with lab_sql_server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (2, %s)", (bytes(range(256)) * 800,))
    lab_sql_server.run(*["INSERT INTO t SELECT a + 1, b FROM t"] * 6, database=database)
    url = f"{prefix}full-01.bak"
    before = checksum(lab_sql_server, database)
    lab_sql_server.run(
        f"BACKUP DATABASE [{database}] TO URL = N'{url}' WITH CHECKSUM, NO_COMPRESSION, MAXTRANSFERSIZE = 5242880"
    )
    stored = lab_storage.client().head_object(Bucket=lab_storage.bucket, Key=key_of(url))
    assert stored["ContentLength"] > 2 * 5_242_880
    assert stored["ETag"].strip('"').endswith("-3")
    lab_sql_server.run(f"RESTORE DATABASE [{database}] FROM URL = N'{url}' WITH REPLACE, CHECKSUM")
    assert checksum(lab_sql_server, database) == before


def test_a_url_without_a_credential_is_refused(
    lab_sql_server: LabSqlServer, lab_storage: LabStorage, database: str
) -> None:
    url = f"s3://localhost:{lab_storage.settings.storage_port}/{lab_storage.bucket}/{uuid4().hex}/full.bak"
    number, said = refusal(lab_sql_server, f"BACKUP DATABASE [{database}] TO URL = N'{url}'")
    assert number == 3201
    assert "Operating system error 50(The request is not supported.)" in said[0]
    assert said[1] == "BACKUP DATABASE is terminating abnormally."


def test_the_credential_with_the_longest_fitting_name_is_used(
    lab_sql_server: LabSqlServer, database: str, prefix: str
) -> None:
    wrong = f"{prefix}tenant"
    lab_sql_server.run(f"CREATE CREDENTIAL [{wrong}] WITH IDENTITY = N'S3 Access Key', SECRET = N'no:body'")
    number, said = refusal(lab_sql_server, f"BACKUP DATABASE [{database}] TO URL = N'{wrong}/full.bak'")
    assert number == 3201
    assert "5(Access is denied.)" in said[0]
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO URL = N'{wrong}-two/full.bak'")  # another folder
    lab_sql_server.run(f"DROP CREDENTIAL [{wrong}]", f"BACKUP DATABASE [{database}] TO URL = N'{wrong}/full.bak'")


def test_an_object_that_exists_is_overwritten_only_with_format(
    lab_sql_server: LabSqlServer, database: str, prefix: str
) -> None:
    statement = f"BACKUP DATABASE [{database}] TO URL = N'{prefix}full.bak'"
    lab_sql_server.run(statement)
    assert refusal(lab_sql_server, statement)[0] == 3296
    lab_sql_server.run(f"{statement} WITH FORMAT")


def test_what_the_store_refuses_is_told(lab_sql_server: LabSqlServer, lab_storage: LabStorage, database: str) -> None:
    host = f"s3://127.0.0.1:{lab_storage.settings.storage_port}"
    secret = f"{lab_storage.settings.access_key}:{lab_storage.settings.secret_key}"
    bucket = f"{host}/no-such-{uuid4().hex[:8]}"
    lab_sql_server.run(f"CREATE CREDENTIAL [{bucket}] WITH IDENTITY = N'S3 Access Key', SECRET = N'{secret}'")
    assert refusal(lab_sql_server, f"BACKUP DATABASE [{database}] TO URL = N'{bucket}/x.bak'")[0] == 3201
    assert refusal(lab_sql_server, f"RESTORE VERIFYONLY FROM URL = N'{bucket}/x.bak'")[0] == 3201
    number, _ = refusal(lab_sql_server, f"BACKUP DATABASE [{database}] TO URL = N'{bucket}/{'x' * 260}.bak'")
    assert number == 3078


def test_an_object_that_is_missing_is_told(lab_sql_server: LabSqlServer, prefix: str) -> None:
    number, said = refusal(lab_sql_server, f"RESTORE HEADERONLY FROM URL = N'{prefix}missing.bak'")
    assert number == 3201
    assert "2(The system cannot find the file specified.)" in said[0]


def test_a_damaged_object_is_found(
    lab_sql_server: LabSqlServer, lab_storage: LabStorage, database: str, prefix: str
) -> None:
    url = f"{prefix}full.bak"
    noise = (
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 999) INSERT INTO t SELECT i, NEWID() FROM n"
    )
    lab_sql_server.run(
        noise, f"USE master; BACKUP DATABASE [{database}] TO URL = N'{url}' WITH CHECKSUM", database=database
    )
    client, place = lab_storage.client(), {"Bucket": lab_storage.bucket, "Key": key_of(url)}
    content = bytearray(client.get_object(**place)["Body"].read())
    content[len(content) * 2 // 3] ^= 0x01
    client.put_object(**place, Body=bytes(content))
    assert refusal(lab_sql_server, f"RESTORE VERIFYONLY FROM URL = N'{url}' WITH CHECKSUM")[0] == 3189
    client.put_object(**place, Body=bytes(content[: len(content) // 2]))
    assert refusal(lab_sql_server, f"RESTORE VERIFYONLY FROM URL = N'{url}' WITH CHECKSUM")[0] == 3203


def test_a_killed_backup_leaves_neither_object_nor_upload(
    lab_sql_server: LabSqlServer, lab_storage: LabStorage, database: str, prefix: str
) -> None:
    running = f"SELECT session_id FROM sys.dm_exec_sessions WHERE program_name = N'{database}' AND status = N'running'"
    statement = f"BACKUP DATABASE [{database}] TO URL = N'{prefix}full.bak' WITH NAME = N'{database}', STATS = 5"
    outcome: list[Any] = []

    def back_up() -> None:
        try:
            outcome.append(lab_sql_server.run(statement, appname=database))
        except pymssql.Error as error:
            outcome.append(error)

    with lab_sql_server.slowed(backup_seconds=30):
        thread = threading.Thread(target=back_up)
        thread.start()
        wait_for(lambda: uploads(lab_storage, prefix))
        ((session,),) = lab_sql_server.run(running)
        lab_sql_server.run(f"KILL {session}")
        thread.join(WAIT_SECONDS)
    assert isinstance(outcome[0], pymssql.Error)
    wait_for(lambda: not uploads(lab_storage, prefix))
    assert lab_storage.client().list_objects_v2(Bucket=lab_storage.bucket, Prefix=key_of(prefix))["KeyCount"] == 0
    assert lab_sql_server.run(f"SELECT COUNT(*) FROM msdb.dbo.backupset WHERE name = N'{database}'") == [(0,)]


def checksum(server: LabSqlServer, database: str) -> list[tuple[Any, ...]]:
    return server.run("SELECT COUNT(*), CHECKSUM_AGG(BINARY_CHECKSUM(*)) FROM t", database=database)


def wait_for(holds: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {WAIT_SECONDS} s"
        time.sleep(0.05)
