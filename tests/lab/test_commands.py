"""`python -m lab` as a person uses it: up, status, seed, load-sql, wreck, faults, shell, down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.seed.register import registered
from lab.settings import LabSettings
from lab.testing.command import run_lab
from lab.testing.server import new_settings

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSettings]:
    """A lab that is up and holds its three tenants."""
    settings = new_settings(tmp_path_factory.mktemp("commands"))
    try:
        for command in ("up", "seed"):
            done = run_lab(settings, command)
            assert done.returncode == 0, done.stderr
        yield settings
    finally:
        run_lab(settings, "down")


def test_two_tenants_share_a_host_and_all_three_share_the_database_volume(seeded: LabSettings) -> None:
    tenants = registered(seeded)

    def host(tenant: str) -> str:
        return str(tenants[tenant]["web"]["instance"])

    assert host("acme") == host("globex") != host("initech")
    assert len({tenant["web"]["volume"] for tenant in tenants.values()}) == 3
    assert len({tenant["database"]["volume"] for tenant in tenants.values()}) == 1


def test_the_files_of_the_databases_lie_on_the_database_volume(seeded: LabSettings) -> None:
    database = registered(seeded)["acme"]["database"]

    volume = seeded.state / "cloud" / "volumes" / database["volume"]
    assert (volume / f"{database['name']}.mdf").stat().st_size > 100_000
    assert (volume / f"{database['name']}_log.ldf").exists()
    files = run_lab(
        seeded, "shell", "sql", stdin=f"USE {database['name']}\nSELECT physical_name FROM sys.database_files\nGO\n"
    )
    assert f"{database['mount']}/{database['name']}.mdf" in files.stdout
    assert f"{database['mount']}/{database['name']}_log.ldf" in files.stdout


def test_a_web_volume_holds_hundreds_of_files_with_links_and_modes(seeded: LabSettings) -> None:
    site = Path(registered(seeded)["acme"]["web"]["path"])

    assert sum(path.is_file() for path in site.rglob("*")) > 200
    assert (site / "current" / "index.html").is_file()
    assert (site / "bin" / "nightly.sh").stat().st_mode & 0o777 == 0o755


def test_seeding_again_leaves_every_tenant_as_it_is(seeded: LabSettings) -> None:
    before = registered(seeded)
    mark = Path(before["globex"]["web"]["path"]) / "mark"
    mark.touch()

    again = run_lab(seeded, "seed")

    assert again.stdout.count("left as it is") == 3
    assert registered(seeded) == before
    assert mark.exists()


def test_a_script_runs_in_the_tenants_own_database(seeded: LabSettings, tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("CREATE TABLE dbo.extra (n INT);\nGO\nINSERT INTO dbo.extra VALUES (1), (2);\nGO\n")

    done = run_lab(seeded, "load-sql", "initech", str(script))

    assert done.stdout.startswith("2 batches run; shop_initech now holds 6 tables"), done.stderr


def test_a_script_that_fails_says_where_and_why(seeded: LabSettings, tmp_path: Path) -> None:
    script = tmp_path / "script.sql"
    script.write_text("SELECT 1;\nGO\nSELECT * FROM dbo.nowhere;\nGO\n")

    done = run_lab(seeded, "load-sql", "acme", str(script))

    assert done.returncode == 1
    assert "2" in done.stderr
    assert "Invalid object name 'dbo.nowhere'" in done.stderr


def test_a_script_for_an_unknown_tenant_is_not_run_and_the_known_ones_are_named(seeded: LabSettings) -> None:
    done = run_lab(seeded, "load-sql", "nobody", "script.sql")

    assert done.returncode == 1
    assert "no tenant 'nobody'" in done.stderr
    assert "acme, globex, initech" in done.stderr


def test_a_wrecked_tenant_has_lost_files_and_a_table(seeded: LabSettings) -> None:
    site = Path(registered(seeded)["globex"]["web"]["path"])

    done = run_lab(seeded, "wreck", "globex")

    assert done.stdout.count("globex: ") == 3, done.stderr
    assert not (site / "releases" / "1" / "i18n").exists()
    tables = run_lab(seeded, "shell", "sql", "shop_globex", stdin="SELECT name FROM sys.tables\nGO\n")
    assert "orders" in tables.stdout
    assert "order_lines" not in tables.stdout


def test_faults_are_added_listed_and_cleared_for_every_server(seeded: LabSettings) -> None:
    add = ("faults", "add")
    for rule in (
        ("ec2:CreateSnapshot", "--code", "RequestLimitExceeded", "--times", "2"),
        ("s3:GetObject", "--bytes-per-second", "1000", "--times", "always"),
        ("sql:Backup", "--delay", "3"),
    ):
        done = run_lab(seeded, *add, *rule)
        assert done.returncode == 0, done.stderr

    listed = run_lab(seeded, "faults", "list").stdout
    run_lab(seeded, "faults", "clear")

    assert "cloud     ec2:CreateSnapshot, 2 more times: code RequestLimitExceeded" in listed
    assert "storage   s3:GetObject, always: bytes_per_second 1000.0" in listed
    assert "sqlserver backup_seconds 3" in listed
    assert run_lab(seeded, "faults", "list").stdout == "No faults are set, and none has struck.\n"


def test_a_fault_that_would_do_nothing_is_refused(seeded: LabSettings) -> None:
    for action, complaint in (("s3:GetObject", "would do nothing"), ("sql:Select", "sql:Backup, sql:Restore, sql:*")):
        done = run_lab(seeded, "faults", "add", action)
        assert done.returncode == 1
        assert complaint in done.stderr


def test_a_shell_on_a_host_has_the_hosts_tools(seeded: LabSettings) -> None:
    host = registered(seeded)["acme"]["web"]["instance"]

    done = run_lab(seeded, "shell", host, stdin="lsblk --noheadings --pairs --nodeps --output NAME,SERIAL\nexit 3\n")

    assert registered(seeded)["acme"]["web"]["volume"].replace("-", "") in done.stdout
    assert done.returncode == 3
    assert "It has i-" in run_lab(seeded, "shell", "i-nowhere").stderr


def test_the_sql_prompt_prints_rows_and_errors(seeded: LabSettings) -> None:
    done = run_lab(seeded, "shell", "sql", stdin="SELECT 1 AS one, NULL AS nothing\nGO\nSELECT * FROM dbo.nowhere\n")

    assert done.stdout.splitlines()[:2] == ["one | nothing", "1 | NULL"]
    assert "Msg 208: Invalid object name 'dbo.nowhere'" in done.stdout
    assert done.returncode == 1


def test_what_was_seeded_survives_down_and_up(seeded: LabSettings) -> None:
    before = registered(seeded)

    assert run_lab(seeded, "down").returncode == 0
    assert run_lab(seeded, "status").returncode == 1
    assert run_lab(seeded, "up").returncode == 0

    assert registered(seeded) == before
    assert run_lab(seeded, "status").stdout.count(" yes ") == 3
    assert run_lab(seeded, "seed").stdout.count("left as it is") == 3


def test_seeding_a_lab_that_is_down_says_to_start_it(tmp_path: Path) -> None:
    done = run_lab(new_settings(tmp_path), "seed")

    assert done.returncode == 1
    assert "python -m lab up" in done.stderr
