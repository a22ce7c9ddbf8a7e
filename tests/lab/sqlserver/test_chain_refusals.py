"""What breaks a chain of backups of the SQL Server stand-in, and which restores along it are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.testing.sql_server import LabSqlServer
from tests.lab.sqlserver.chains import add, back_up, back_up_log, database, header, refused, restore, rows, server_time

__all__ = ["database"]

pytestmark = pytest.mark.lab


def test_a_chain_needs_a_full_backup_and_the_full_model(lab_sql_server: LabSqlServer, database: str) -> None:
    differential = f"BACKUP DATABASE [{database}] TO DISK = N'x.bak' WITH DIFFERENTIAL"
    log = f"BACKUP LOG [{database}] TO DISK = N'x.bak'"
    assert refused(lab_sql_server, differential) == 3035
    assert refused(lab_sql_server, log) == 4214
    back_up(lab_sql_server, database, "copy", "COPY_ONLY")
    assert refused(lab_sql_server, differential) == 3035
    assert refused(lab_sql_server, log) == 4214
    back_up(lab_sql_server, database, "full")
    back_up_log(lab_sql_server, database, "log")
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET RECOVERY SIMPLE")
    assert refused(lab_sql_server, log) == 4208
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET RECOVERY FULL")
    assert refused(lab_sql_server, log) == 4214
    back_up(lab_sql_server, database, "diff", "DIFFERENTIAL")  # it bridges the gap
    back_up_log(lab_sql_server, database, "log2")
    assert header(lab_sql_server, database, "log2")["BeginsLogChain"]
    assert not (lab_sql_server.folder / "backup" / "x.bak").exists()


def test_logs_are_restored_in_their_order_or_not_at_all(lab_sql_server: LabSqlServer, database: str) -> None:
    other = lab_sql_server.new_database()
    back_up(lab_sql_server, other, "full")
    back_up_log(lab_sql_server, other, "log")
    back_up(lab_sql_server, database, "full")
    add(lab_sql_server, database, 4)
    back_up_log(lab_sql_server, database, "log1")
    back_up_log(lab_sql_server, database, "log2")
    moment = server_time(lab_sql_server)

    def log(name: str, of: str = database) -> str:
        return f"RESTORE LOG [{database}] FROM DISK = N'{of}-{name}.bak' WITH NORECOVERY"

    assert refused(lab_sql_server, log("log1")) == 3117
    assert refused(lab_sql_server, log("log1").replace(database, "nowhere", 1)) == 3118
    restore(lab_sql_server, database, "full", "REPLACE, NORECOVERY")
    assert refused(lab_sql_server, log("full")) == 3135
    assert refused(lab_sql_server, log("log2")) == 4305
    assert refused(lab_sql_server, log("log", of=other)) == 4330
    lab_sql_server.run(log("log1"), log("log2"))
    assert refused(lab_sql_server, log("log1")) == 4326
    assert refused(lab_sql_server, f"USE [{database}]") == 927
    lab_sql_server.run(f"RESTORE DATABASE [{database}] WITH RECOVERY")
    assert rows(lab_sql_server, database) == [1, 2, 3, 4]
    back_up(lab_sql_server, database, "new")
    back_up_log(lab_sql_server, database, "log3")
    restore(lab_sql_server, database, "new", "REPLACE, NORECOVERY")
    assert refused(lab_sql_server, f"{log('log3')}, STOPAT = N'{moment}'") == 4335


def test_the_simple_model_has_no_point_in_time(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET RECOVERY SIMPLE")
    back_up(lab_sql_server, database, "full")
    add(lab_sql_server, database, 4)
    back_up(lab_sql_server, database, "diff", "DIFFERENTIAL")
    moment = server_time(lab_sql_server)
    statement = f"RESTORE DATABASE [{database}] FROM DISK = N'{database}-full.bak' WITH REPLACE, NORECOVERY"
    assert refused(lab_sql_server, f"{statement}, STOPAT = N'{moment}'") == 3145
    lab_sql_server.run(statement)
    restore(lab_sql_server, database, "diff", "RECOVERY")
    assert rows(lab_sql_server, database) == [1, 2, 3, 4]


def test_a_log_that_is_damaged_leaves_a_sequence_that_must_begin_anew(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    back_up(lab_sql_server, database, "full")
    add(lab_sql_server, database, 4)
    back_up_log(lab_sql_server, database, "log")
    file: Path = lab_sql_server.folder / "backup" / f"{database}-log.bak"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    restore(lab_sql_server, database, "full", "REPLACE, NORECOVERY")
    file.write_bytes(content)
    log = f"RESTORE LOG [{database}] FROM DISK = N'{file}' WITH RECOVERY"
    assert refused(lab_sql_server, log) == 3189
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert refused(lab_sql_server, log) == 4319
    assert refused(lab_sql_server, f"RESTORE DATABASE [{database}] WITH RECOVERY") == 4333
    restore(lab_sql_server, database, "full")
    lab_sql_server.run(log)
    assert rows(lab_sql_server, database) == [1, 2, 3, 4]
