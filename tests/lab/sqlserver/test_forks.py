"""Backups of the SQL Server stand-in after a restore: the chain goes on, on a recovery fork of its own.

https://learn.microsoft.com/sql/relational-databases/backup-restore/recovery-paths-sql-server
"""

from __future__ import annotations

import time
from typing import Any

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer

pytestmark = pytest.mark.lab


class Chain:
    """A database with a table of numbers, its backups by name, and the restores along them."""

    def __init__(self, server: LabSqlServer) -> None:
        self.server, self.name = server, server.new_database()
        server.run("CREATE TABLE t (a INT)", database=self.name)

    def add(self, *numbers: int) -> None:
        self.server.run(*(f"INSERT INTO t VALUES ({number})" for number in numbers), database=self.name)

    def rows(self) -> list[int]:
        return [number for (number,) in self.server.run("SELECT a FROM t ORDER BY a", database=self.name)]

    def full(self, name: str, options: str = "CHECKSUM") -> None:
        self.server.run(f"BACKUP DATABASE [{self.name}] TO {self._device(name)} WITH {options}")

    def log(self, name: str, options: str = "CHECKSUM") -> None:
        self.server.run(f"BACKUP LOG [{self.name}] TO {self._device(name)} WITH {options}")

    def restore(self, *names: str) -> None:
        """Restore a full or differential backup (`full`, `diff...`) and then logs, the last one WITH RECOVERY."""
        for name in names:
            kind = "DATABASE" if name.startswith(("full", "diff")) else "LOG"
            options = "RECOVERY" if name == names[-1] else "NORECOVERY"
            replace = ", REPLACE" if name.startswith("full") else ""
            self.step(kind, name, options + replace)
        self.server.run(f"DBCC CHECKDB (N'{self.name}') WITH NO_INFOMSGS")

    def step(self, kind: str, name: str, options: str) -> None:
        self.server.run(f"RESTORE {kind} [{self.name}] FROM {self._device(name)} WITH {options}")

    def refused(self, kind: str, name: str, options: str = "NORECOVERY") -> int:
        with pytest.raises(pymssql.Error) as error:
            self.step(kind, name, options)
        return int(error.value.args[0])

    def header(self, name: str) -> dict[str, Any]:
        with self.server.connect(as_dict=True) as connection, connection.cursor() as cursor:
            cursor.execute(f"RESTORE HEADERONLY FROM {self._device(name)}")
            row: Any = cursor.fetchone()
            return dict(row)

    def moment(self) -> str:
        """A moment with nothing committed just before and just after it."""
        time.sleep(0.05)
        ((moment,),) = self.server.run("SELECT CONVERT(NVARCHAR(30), SYSDATETIME(), 126)")
        time.sleep(0.05)
        return str(moment)

    def _device(self, name: str) -> str:
        return f"DISK = N'{self.name}-{name}.bak'"


@pytest.fixture
def chain(lab_sql_server: LabSqlServer) -> Chain:
    """Rows 1 and 2 in `full`; row 3 in `log1`; then row 4, which is in no backup."""
    made = Chain(lab_sql_server)
    made.add(1, 2)
    made.full("full")
    made.add(3)
    made.log("log1")
    made.add(4)
    return made


def test_the_log_goes_on_after_a_restore_and_leads_from_the_old_fork_to_the_new(chain: Chain) -> None:
    chain.restore("full", "log1")
    chain.add(10)
    chain.log("new1")
    chain.add(11)
    chain.log("new2")
    chain.add(12)
    chain.restore("full", "log1", "new1", "new2")
    assert chain.rows() == [1, 2, 3, 10, 11]
    old, first, second = (chain.header(name) for name in ("log1", "new1", "new2"))
    assert first["FirstRecoveryForkID"] == old["RecoveryForkID"] != first["RecoveryForkID"]
    assert first["FirstLSN"] == first["ForkPointLSN"] == old["LastLSN"]
    assert second["FirstRecoveryForkID"] == second["RecoveryForkID"] == first["RecoveryForkID"]
    assert (second["FirstLSN"], second["ForkPointLSN"]) == (first["LastLSN"], None)
    assert [header["BeginsLogChain"] for header in (old, first, second)] == [True, False, False]


def test_the_log_goes_on_after_a_restore_of_a_full_backup_alone(chain: Chain) -> None:
    chain.restore("full")
    chain.add(10)
    chain.log("new")
    chain.restore("full", "new")
    assert chain.rows() == [1, 2, 10]


def test_the_old_forks_log_and_the_new_ones_do_not_mix(chain: Chain) -> None:
    chain.log("log2")
    chain.restore("full", "log1")
    chain.add(10)
    chain.log("new")
    chain.step("DATABASE", "full", "NORECOVERY, REPLACE")
    assert chain.refused("LOG", "new") == 4305
    chain.step("LOG", "log1", "NORECOVERY")
    chain.step("LOG", "log2", "NORECOVERY")
    assert chain.refused("LOG", "new") == 4330  # the database is past the fork, on the old way
    chain.restore("full", "log1", "log2")
    assert chain.rows() == [1, 2, 3, 4]
    chain.step("DATABASE", "full", "NORECOVERY, REPLACE")
    chain.step("LOG", "log1", "NORECOVERY")
    chain.step("LOG", "new", "NORECOVERY")
    assert chain.refused("LOG", "log2") == 4330


def test_a_fork_at_a_point_in_time_is_reached_by_the_same_point(chain: Chain) -> None:
    moment = chain.moment()
    chain.add(5)
    chain.log("log2")
    for _ in range(2):
        chain.step("DATABASE", "full", "NORECOVERY, REPLACE")
        chain.step("LOG", "log1", "NORECOVERY")
    chain.step("LOG", "log2", f"RECOVERY, STOPAT = N'{moment}'")
    assert chain.rows() == [1, 2, 3, 4]
    chain.add(10)
    chain.log("new")
    chain.step("DATABASE", "full", "NORECOVERY, REPLACE")
    chain.step("LOG", "log1", "NORECOVERY")
    chain.step("LOG", "log2", f"NORECOVERY, STOPAT = N'{moment}'")
    chain.step("LOG", "new", "RECOVERY")
    assert chain.rows() == [1, 2, 3, 4, 10]
    chain.step("DATABASE", "full", "NORECOVERY, REPLACE")
    chain.step("LOG", "log1", "NORECOVERY")
    chain.step("LOG", "log2", "NORECOVERY")
    assert chain.refused("LOG", "new") == 4330


def test_a_differential_backup_after_a_restore_stands_on_the_backup_restored(chain: Chain) -> None:
    chain.restore("full", "log1")
    chain.add(10)
    chain.full("diff", "DIFFERENTIAL")
    chain.add(11)
    chain.log("new")
    diff, full = chain.header("diff"), chain.header("full")
    assert (diff["DifferentialBaseGUID"], diff["DifferentialBaseLSN"]) == (full["BackupSetGUID"], full["CheckpointLSN"])
    chain.restore("full", "diff")
    assert chain.rows() == [1, 2, 3, 10]
    chain.restore("full", "diff", "new")
    assert chain.rows() == [1, 2, 3, 10, 11]


def test_a_differential_backup_of_one_fork_is_not_put_upon_anothers(chain: Chain) -> None:
    chain.full("diff_old", "DIFFERENTIAL")
    chain.restore("full")
    chain.add(10)
    chain.full("diff_new", "DIFFERENTIAL")
    chain.step("DATABASE", "full", "NORECOVERY, REPLACE")
    chain.step("DATABASE", "diff_old", "NORECOVERY")
    assert chain.refused("DATABASE", "diff_new") == 3136


def test_forks_follow_upon_forks(chain: Chain) -> None:
    chain.restore("full", "log1")
    chain.add(10)
    chain.log("b1")
    chain.restore("full", "log1", "b1")
    chain.add(20)
    chain.log("c1")
    chain.full("full_c")
    chain.add(21)
    chain.log("c2")
    chain.restore("full", "log1", "b1", "c1", "c2")
    assert chain.rows() == [1, 2, 3, 10, 20, 21]
    chain.restore("full_c", "c2")
    assert chain.rows() == [1, 2, 3, 10, 20, 21]


def test_the_tail_of_the_log_and_a_recovery_leave_the_chain_whole(chain: Chain) -> None:
    chain.log("tail", "NORECOVERY")
    chain.server.run(f"RESTORE DATABASE [{chain.name}] WITH RECOVERY")
    assert chain.rows() == [1, 2, 3, 4]
    chain.add(5)
    chain.log("new")
    chain.restore("full", "log1", "tail", "new")
    assert chain.rows() == [1, 2, 3, 4, 5]


def test_the_chain_goes_on_after_a_restore_and_a_crash(own_sql_server: LabSqlServer) -> None:
    chain = Chain(own_sql_server)
    chain.add(1)
    chain.full("full")
    chain.restore("full")
    chain.add(10)
    own_sql_server.crash_and_restart()
    chain.add(11)
    chain.log("new")
    chain.restore("full", "new")
    assert chain.rows() == [1, 10, 11]


def test_a_copy_is_no_base_but_its_log_goes_on(chain: Chain) -> None:
    chain.full("full_copy", "COPY_ONLY")
    chain.restore("full_copy")
    chain.add(10)
    with pytest.raises(pymssql.Error) as error:
        chain.full("diff", "DIFFERENTIAL")
    assert error.value.args[0] == 3035
    chain.log("new")
    chain.restore("full_copy", "new")
    assert chain.rows() == [1, 2, 3, 4, 10]


def test_without_a_log_chain_a_restore_begins_none(lab_sql_server: LabSqlServer) -> None:
    for model, name in (("SIMPLE", "full"), ("FULL", "full_copy")):
        chain = Chain(lab_sql_server)
        lab_sql_server.run(f"ALTER DATABASE [{chain.name}] SET RECOVERY {model}")
        chain.full(name, "COPY_ONLY" if model == "FULL" else "CHECKSUM")
        chain.restore(name)
        with pytest.raises(pymssql.Error) as error:
            chain.log("new")
        assert error.value.args[0] == (4208 if model == "SIMPLE" else 4214)


def test_what_lies_in_the_place_of_a_restored_log_is_no_part_of_it(chain: Chain) -> None:
    """The files of a database that was dropped offline stay; a restore over them must not take up their log."""
    chain.add(99)
    chain.server.run(f"ALTER DATABASE [{chain.name}] SET OFFLINE", f"DROP DATABASE [{chain.name}]")
    chain.restore("full")
    chain.add(10)
    chain.log("new")
    chain.restore("full", "new")
    assert chain.rows() == [1, 2, 10]
