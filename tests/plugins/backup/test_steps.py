"""The steps of a backup on the lab's servers: what they make, and what a crash, a race or a fault leaves of it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from datetime import date, timedelta
from pathlib import Path

import pymssql
import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from include.rules.errors import (
    ConfigurationError,
    DamagedBackupError,
    LeaseBusyError,
    LeaseLostError,
    PartError,
    PerennialError,
    RefusedError,
    UnavailableError,
)
from include.rules.points.backup_files import FileType
from include.rules.points.transitions import State
from lab.testing.deadlines import within
from lab.waiting import wait_until
from perennial.backup.open_close import OpenRecoveryPointTrigger
from perennial.hooks.sql_server.errors import SqlServerError
from tests.support.triggers import CutOff
from tests.support.world import BACKUP, CHAIN, CLOSE, DATABASE, OPEN, VERIFY, WEB, World, assert_one_of_each

pytestmark = pytest.mark.lab

TODAY = "acme|daily|2026-11-23"


def test_a_backup_makes_one_verified_recovery_point_of_three_parts(world: World) -> None:
    manifest = world.back_up(TODAY)
    assert_one_of_each(world, TODAY)
    assert manifest.verification
    assert manifest.verification.level == 2
    assert manifest.time == min(s["StartTime"] for s in world.snapshots(TODAY))
    assert manifest.source.model_dump(mode="json")["database"] == world.entries["acme"]["database"]
    tags = {tag["Key"]: tag["Value"] for tag in world.snapshots(TODAY)[0]["Tags"]}
    assert tags["perennial:tenant"] == "acme"
    assert tags["perennial:kind"] == "daily"
    assert tags["perennial:recovery-point"] == "acme-daily-20261123"
    assert tags["cost-centre"] == "4711"


def test_the_snapshot_of_the_database_volume_holds_the_files_that_the_manifest_names(world: World) -> None:
    manifest = world.back_up(TODAY)
    database, snapshot = manifest.source.database, manifest.parts.db_snapshot
    assert database.mount
    assert snapshot
    assert [(file.logical_name, file.type) for file in manifest.database_files] == [
        (database.name, FileType.ROWS),
        (f"{database.name}_log", FileType.LOG),
    ]
    on_volume = [Path(file.physical_path).relative_to(database.mount) for file in manifest.database_files]
    data, log = (world.cloud.snapshot_path(snapshot.snapshot_id) / path for path in on_volume)
    copy = f"{database.name}_copy"
    world.sql.attach(copy, data, log)
    count = "SELECT COUNT(*) FROM dbo.orders"
    assert world.sql.run(count, database=copy) == world.sql.run(count, database=database.name) == [(50,)]


def test_the_same_day_again_makes_no_second_recovery_point(world: World) -> None:
    first = world.back_up(TODAY)
    assert world.back_up(TODAY, "run-2") == first
    assert_one_of_each(world, TODAY)


def test_a_manual_backup_is_a_copy_that_nobodys_differential_builds_on(world: World) -> None:
    daily, manual = world.back_up(TODAY), world.back_up("acme|manual|2026-11-23T10:00:00Z")
    assert daily.parts.bak
    assert manual.parts.bak
    assert (daily.parts.bak.copy_only, manual.parts.bak.copy_only) == (False, True)


def test_two_runs_of_one_day_at_once_end_in_one_recovery_point(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # The second waits for as long as the first one takes, on a busy machine too.
    monkeypatch.setenv("PERENNIAL_LEASE_WAIT_SECONDS", "120")

    async def chain(run_id: str) -> None:
        for step in world.steps(TODAY, run_id):
            await step.work_within_deadline()

    async def both() -> list[BaseException | None]:
        return list(await asyncio.gather(chain("run-1"), chain("run-2"), return_exceptions=True))

    assert world.runner.run(both()) == [None, None]
    assert assert_one_of_each(world, TODAY).attempt == 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("stripe_mb", "every"),
    [
        pytest.param("50000", 1, marks=pytest.mark.sweep),
        pytest.param("0.01", 4, marks=pytest.mark.sweep),
        ("50000", 8),
    ],
)
def test_a_step_cut_off_at_any_await_and_begun_again_ends_in_one_recovery_point(
    world: World, monkeypatch: pytest.MonkeyPatch, stripe_mb: str, every: int
) -> None:
    monkeypatch.setenv("PERENNIAL_STRIPE_MB", stripe_mb)
    for suspension in range(1, 200, every):
        request = f"acme|daily|{date(2026, 1, 1) + timedelta(days=suspension)}"
        reached = [world.cut_off_and_run_again(step, request, suspension) for step in CHAIN]
        bak = assert_one_of_each(world, request).parts.bak
        assert bak
        assert (len(bak.files) > 1) == (stripe_mb == "0.01")
        if not any(reached):
            break
    else:
        pytest.fail("the steps never came to their end")
    assert suspension > 10


@pytest.mark.parametrize("after", range(1, len(CHAIN) - 1))
def test_a_run_cleared_in_the_middle_goes_on_under_the_same_id(world: World, after: int) -> None:
    for step in CHAIN[:after]:
        world.run(step, TODAY)
    world.back_up(TODAY)
    assert assert_one_of_each(world, TODAY).attempt == 1


def test_a_new_attempt_adopts_what_the_failed_one_has_made(world: World) -> None:
    for step in CHAIN[:4]:
        world.run(step, TODAY)
    with pytest.raises(PartError, match="is failed, not verified"):
        world.run(CLOSE, TODAY)
    first = world.manifest(TODAY)
    second = world.back_up(TODAY, "run-2")
    assert second.attempt == 2
    assert second.parts == first.parts
    assert_one_of_each(world, TODAY)


def test_a_snapshot_whose_answer_was_lost_is_adopted_and_not_asked_for_again(world: World) -> None:
    world.run(OPEN, TODAY)
    world.cloud.add_fault("ec2:CreateSnapshot", after=True, drop=True)
    world.run(WEB, TODAY)
    assert len(world.snapshots(TODAY)) == 1
    for step in CHAIN[2:]:
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_extra_snapshots_and_files_of_the_same_point_are_swept(world: World) -> None:
    for step in CHAIN[:-1]:
        world.run(step, TODAY)
    tags = world.snapshots(TODAY)[0]["Tags"]
    volume = world.entries["acme"]["web"]["volume"]
    specification = [{"ResourceType": "snapshot", "Tags": tags}]
    world.cloud.client("ec2").create_snapshot(VolumeId=volume, TagSpecifications=specification)
    vault, key = world.vault, world.files(TODAY)[0].replace("full-01", "full-99")
    world.storage.client().put_object(Bucket=vault.documents.bucket, Key=vault.documents.prefix + key, Body=b"half")
    world.run(CLOSE, TODAY)
    assert_one_of_each(world, TODAY)


def test_beside_a_manifest_that_does_not_name_all_its_parts_nothing_is_swept(world: World) -> None:
    """Somebody has edited it: what it does not name may be the only copy."""
    point = world.back_up(TODAY)
    without = point.parts.model_copy(update={"bak": None, "web_snapshot": None})
    edit = world.vault.change_point("acme", point.id, lambda m: m.model_copy(update={"parts": without}))
    world.runner.run(edit)
    world.run(OPEN, TODAY, "run-2")
    assert len(world.files(TODAY)) == 1
    assert len(world.snapshots(TODAY)) == 2


def test_a_snapshot_of_another_tenant_is_never_swept(world: World) -> None:
    world.add_tenant("globex")
    other = world.back_up("globex|daily|2026-11-23")
    world.back_up(TODAY)
    assert other.parts.web_snapshot
    assert other.parts.web_snapshot.snapshot_id in {s["SnapshotId"] for s in world.snapshots("globex|daily|2026-11-23")}


def test_throttled_snapshots_are_asked_for_until_amazon_grants_them(world: World) -> None:
    world.cloud.add_fault("ec2:CreateSnapshot", code="SnapshotCreationPerVolumeRateExceeded", times=3)
    world.cloud.add_fault("ec2:CreateSnapshot", code="ConcurrentSnapshotLimitExceeded", times=1)
    world.back_up(TODAY)
    assert_one_of_each(world, TODAY)


def test_a_missing_volume_fails_this_tenant_with_a_message_and_no_other(world: World) -> None:
    world.add_tenant("globex")
    world.entries["acme"]["web"]["volume"] = "vol-00000000000000bad"
    world.write_register()
    world.run(OPEN, TODAY)
    with pytest.raises(PartError, match=r"Volume vol-00000000000000bad of tenant acme could not be snapshotted"):
        world.run(WEB, TODAY)
    with pytest.raises(PartError, match=r"acme-daily-20261123 of tenant acme is failed.*could not be snapshotted"):
        world.run(CLOSE, TODAY)
    assert world.manifest(TODAY).state is State.FAILED
    assert "InvalidVolume.NotFound" in (world.manifest(TODAY).failure or "")
    assert world.lease("acme").owner is None
    assert world.back_up("globex|daily|2026-11-23").state is State.VERIFIED


def test_a_snapshot_that_ends_in_error_is_not_adopted_by_the_next_attempt(world: World) -> None:
    for step in CHAIN[:4]:
        world.run(step, TODAY)
    world.cloud.set_snapshot_state(world.snapshots(TODAY)[0]["SnapshotId"], "error")
    with pytest.raises(PartError, match="of tenant acme is error"):
        world.run(VERIFY, TODAY)
    with pytest.raises(PartError):
        world.run(CLOSE, TODAY)
    world.back_up(TODAY, "run-2")
    assert_one_of_each(world, TODAY)


def test_a_database_server_that_is_down_fails_the_run_and_releases_the_tenant(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.dumps({"conn_type": "mssql", "host": "127.0.0.1", "port": 1, "login": "sa", "password": "s3cr3t"})
    monkeypatch.setenv("AIRFLOW_CONN_SQL_SERVER_LAB", connection)
    for step in CHAIN[:3]:
        world.run(step, TODAY)
    with pytest.raises(PartError, match="The database of tenant acme could not be backed up") as caught:
        world.run(BACKUP, TODAY)
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(PartError, match="is failed, not verified"):
        world.run(CLOSE, TODAY)
    assert world.lease("acme").owner is None
    assert "s3cr3t" not in world.manifest(TODAY).model_dump_json()


def test_a_server_that_is_down_is_told_from_an_earlier_login_that_failed() -> None:
    stale = pymssql.OperationalError(18456, b"DB-Lib error message 20009, severity 9:\nUnable to connect")
    assert SqlServerError.of(stale).number == 20009
    assert SqlServerError.of(stale).lost_connection
    refused = pymssql.OperationalError(18456, b"Login failed for user 'x'.DB-Lib error message 20018, severity 14:\n")
    assert SqlServerError.of(refused).number == 18456


def test_an_object_store_that_refuses_sql_server_is_named_with_the_way_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_BACKUP_URL", "s3://127.0.0.1:1/nowhere")
    for step in CHAIN[:3]:
        world.run(step, TODAY)
    with pytest.raises(PartError, match=r"SQL Server error 3201.*has a CREDENTIAL for it"):
        world.run(BACKUP, TODAY)


def test_a_vault_that_refuses_us_is_reported_and_nothing_is_begun(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_VAULT", "s3://no-such-bucket-anywhere")
    with pytest.raises(UnavailableError, match="The vault could not be"):
        world.run(OPEN, TODAY)
    assert world.snapshots(TODAY) == []


def test_a_database_that_does_not_exist_is_named(world: World) -> None:
    world.entries["acme"]["database"]["name"] = "nowhere"
    world.write_register()
    for step in CHAIN[:3]:
        world.run(step, TODAY)
    with pytest.raises(PartError, match=r"SQL Server error 911.*Check the database's name in tenants.yaml"):
        world.run(BACKUP, TODAY)


@pytest.mark.parametrize("name", ["odd]name", "o'brien", "x]; DROP DATABASE y --"])
def test_a_database_with_a_strange_name_is_backed_up_like_any_other(world: World, name: str) -> None:
    world.sql.run(f"CREATE DATABASE [{name.replace(']', ']]')}]")
    world.entries["acme"]["database"]["name"] = name
    world.write_register()
    world.back_up(TODAY)
    assert_one_of_each(world, TODAY)
    world.sql.run(f"DROP DATABASE [{name.replace(']', ']]')}]")


def test_a_login_that_may_not_back_up_is_told_which_right_it_lacks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sql.run("CREATE LOGIN [weak] WITH PASSWORD = N'Weak-Passw0rd'")
    world.sql.run("CREATE USER [weak] FOR LOGIN [weak]", database=world.entries["acme"]["database"]["name"])
    connection = json.loads(os.environ["AIRFLOW_CONN_SQL_SERVER_LAB"])
    monkeypatch.setenv(
        "AIRFLOW_CONN_SQL_SERVER_LAB", json.dumps({**connection, "login": "weak", "password": "Weak-Passw0rd"})
    )
    for step in CHAIN[:3]:
        world.run(step, TODAY)
    with pytest.raises(PartError, match=r"BACKUP DATABASE permission denied in database"):
        world.run(BACKUP, TODAY)
    world.sql.run("DROP LOGIN [weak]")


def test_a_damaged_file_is_never_verified_and_never_adopted(world: World) -> None:
    for step in CHAIN[:4]:
        world.run(step, TODAY)
    key = world.files(TODAY)[0]
    world.write_file(key, flipped(world.read_file(key)))
    world.record_files_as_they_are(TODAY)
    with pytest.raises(DamagedBackupError, match=r"The \.bak of tenant acme cannot be trusted: SQL Server error 3\d+"):
        world.run(VERIFY, TODAY)
    with pytest.raises(PartError):
        world.run(CLOSE, TODAY)
    assert world.manifest(TODAY).state is State.FAILED
    again = world.back_up(TODAY, "run-2")
    assert again.parts.bak
    assert again.parts.bak.number == 2
    assert_one_of_each(world, TODAY)


def test_a_file_of_the_wrong_size_is_not_verified(world: World) -> None:
    for step in CHAIN[:4]:
        world.run(step, TODAY)
    world.write_file(world.files(TODAY)[0], b"short")
    with pytest.raises(DamagedBackupError, match=r"full-01\.bak has 5 bytes; recorded were"):
        world.run(VERIFY, TODAY)


def test_a_file_that_was_overwritten_since_is_not_verified(world: World) -> None:
    for step in CHAIN[:4]:
        world.run(step, TODAY)
    key = world.files(TODAY)[0]
    world.write_file(key, flipped(world.read_file(key)))
    with pytest.raises(DamagedBackupError, match=r"full-01\.bak is another object than the one that was recorded"):
        world.run(VERIFY, TODAY)


def flipped(body: bytes) -> bytes:
    """The bytes with one bit changed in their midst."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def test_another_database_under_the_same_file_name_is_not_verified(world: World) -> None:
    for step in CHAIN[:4]:
        world.run(step, TODAY)
    url = world.vault.backup_file_url(world.files(TODAY)[0])
    other = world.add_tenant("globex")["database"]["name"]
    world.sql.run(f"BACKUP DATABASE [{other}] TO URL = N'{url}' WITH FORMAT, CHECKSUM, COMPRESSION, NAME = N'other'")
    world.record_files_as_they_are(TODAY)
    with pytest.raises(DamagedBackupError, match="its header is not that of this backup: DatabaseName"):
        world.run(VERIFY, TODAY)


def test_a_backup_whose_connection_was_killed_is_made_again_in_a_new_file(world: World) -> None:
    for step in CHAIN[:3]:
        world.run(step, TODAY)
    with world.sql.slowed(backup_seconds=6):
        killer = threading.Thread(target=world.kill_backup, args=("acme-daily-20261123/full-01",))
        killer.start()
        world.sql.slowed(backup_seconds=0)
        result = world.run(BACKUP, TODAY)
        killer.join()
    assert str(result["keys"][0]).endswith("full-02.bak")
    for step in CHAIN[4:]:
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_a_backup_that_somebody_else_takes_of_the_database_is_waited_for(world: World) -> None:
    for step in CHAIN[:3]:
        world.run(step, TODAY)
    database = world.entries["acme"]["database"]["name"]
    statement = f"BACKUP DATABASE [{database}] TO URL = N'{world.vault.backup_file_url('theirs.bak')}'"
    with world.sql.slowed(backup_seconds=3):
        theirs = threading.Thread(target=world.sql.run, args=(statement,))
        theirs.start()
        _wait_for_backup(world)
    result = world.run(BACKUP, TODAY)
    theirs.join()
    assert str(result["keys"][0]).endswith("full-01.bak")


def _wait_for_backup(world: World) -> None:
    query = "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE command LIKE N'BACKUP%'"
    wait_until(lambda: bool(world.sql.run(query)[0][0]), within(10), "the other backup was not seen")


def test_a_server_that_restarts_in_the_middle_of_a_backup_is_waited_for(world: World) -> None:
    for step in CHAIN[:3]:
        world.run(step, TODAY)

    def crash_and_restart() -> None:
        _wait_for_backup(world)
        world.sql.kill()
        time.sleep(1)
        world.sql.start()

    crash = threading.Thread(target=crash_and_restart)
    with world.sql.slowed(backup_seconds=2):
        crash.start()
        result = world.run(BACKUP, TODAY)
    crash.join()
    assert result["keys"]
    for step in CHAIN[4:]:
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_a_backup_that_a_dead_attempt_left_running_is_waited_for_and_adopted(world: World) -> None:
    for step in CHAIN[:3]:
        world.run(step, TODAY)

    async def cut_then_again() -> None:
        first = asyncio.create_task(world.step(BACKUP, TODAY).work_within_deadline())
        await asyncio.sleep(1.5)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        result = await world.step(BACKUP, TODAY).work_within_deadline()
        assert str(result["keys"][0]).endswith("full-01.bak")

    with world.sql.slowed(backup_seconds=4):
        world.runner.run(cut_then_again())
    for step in CHAIN[4:]:
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_a_run_marked_failed_in_the_middle_of_its_backup_leaves_nothing_behind(world: World) -> None:
    for step in CHAIN[:3]:
        world.run(step, TODAY)

    async def mark_failed() -> None:
        trigger = world.step(BACKUP, TODAY)
        task = asyncio.create_task(trigger.work_within_deadline())
        await asyncio.sleep(1.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await trigger.on_kill()
        with pytest.raises(PartError, match="The run was ended"):
            await world.step(CLOSE, TODAY).work_within_deadline()

    with world.sql.slowed(backup_seconds=20):
        world.runner.run(mark_failed())
    assert world.manifest(TODAY).state is State.FAILED
    assert world.lease("acme").owner is None
    assert world.files(TODAY) == []
    sessions = "SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE program_name LIKE N'perennial % acme-daily-20261123/%'"
    assert world.sql.run(sessions)[0][0] == 0


def test_a_run_marked_failed_while_it_opens_leaves_nothing_behind(world: World) -> None:
    async def mark_failed(suspension: int) -> bool:
        trigger = world.step(OPEN, TODAY)
        reached = await CutOff.run(trigger.work_within_deadline(), suspension)
        if reached:
            await trigger.on_kill()
        return reached

    suspension = 1
    while world.runner.run(mark_failed(suspension)):
        lease = world.runner.run(world.vault.lease("acme"))
        assert lease is None or lease.value.owner is None
        version = world.runner.run(world.vault.points.get("acme", "acme-daily-20261123"))
        assert version is None or version.value.state is State.FAILED
        suspension += 1
    assert suspension > 5


def test_no_more_backups_run_on_a_server_than_it_has_slots(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_BACKUPS_PER_SERVER", "1")
    names = ["acme", "globex", "initech"]
    for name in names[1:]:
        world.add_tenant(name)
    requests = [f"{name}|daily|2026-11-23" for name in names]
    for request in requests:
        for step in CHAIN[:3]:
            world.run(step, request)
    query = "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE command LIKE N'BACKUP%'"
    most = 0

    async def all_at_once() -> None:
        nonlocal most
        backups = [asyncio.create_task(world.step(BACKUP, r).work_within_deadline()) for r in requests]
        while not all(task.done() for task in backups):
            most = max(most, int((await asyncio.to_thread(world.sql.run, query))[0][0]))
            await asyncio.sleep(0.1)
        await asyncio.gather(*backups)

    with world.sql.slowed(backup_seconds=1):
        world.runner.run(all_at_once())
    assert most == 1


def test_a_busy_tenant_is_waited_for_and_then_refused_with_the_holders_name(world: World) -> None:
    world.run(OPEN, TODAY)
    with pytest.raises(LeaseBusyError, match=r"Tenant acme is busy: a backup holds its lease.*run-1"):
        world.run(OPEN, "acme|manual|2026-11-23T10:00:00Z", "run-2")


def test_a_step_of_an_outranked_run_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_LEASE_SECONDS", "0.1")
    world.run(OPEN, TODAY)
    time.sleep(0.2)
    monkeypatch.setenv("PERENNIAL_LEASE_SECONDS", "600")
    world.run(OPEN, TODAY, "run-2")
    for step in (WEB, DATABASE, BACKUP, VERIFY, CLOSE):
        with pytest.raises(LeaseLostError):
            world.run(step, TODAY)
    assert world.snapshots(TODAY) == []
    for step in CHAIN[1:]:
        world.run(step, TODAY, "run-2")
    assert_one_of_each(world, TODAY)


def test_a_manual_backup_beyond_the_plans_number_is_refused(world: World) -> None:
    world.entries["acme"]["plan"] = "standard"
    (world.config / "plans.yaml").write_text(
        (world.config / "plans.yaml").read_text().replace("manual_backups_per_month: 10", "manual_backups_per_month: 1")
    )
    world.back_up("acme|manual|2026-11-23T10:00:00Z")
    with pytest.raises(RefusedError, match="has used its 1 manual backups of 2026-11"):
        world.run(OPEN, "acme|manual|2026-11-24T10:00:00Z")
    assert world.lease("acme").owner is None
    world.back_up("acme|manual|2026-12-01T10:00:00Z")


def test_an_unknown_tenant_is_refused_before_anything_is_written(world: World) -> None:
    with pytest.raises(ConfigurationError, match="There is no tenant 'nobody' in the register"):
        world.run(OPEN, "nobody|daily|2026-11-23")
    assert world.runner.run(world.vault.lease("nobody")) is None


def test_a_broken_entry_of_another_tenant_does_not_matter(world: World) -> None:
    world.entries["broken"] = {"id": "broken", "plan": "no-such-plan"}
    world.write_register()
    assert world.back_up(TODAY).state is State.VERIFIED


def test_every_error_of_a_step_is_one_that_operators_can_read(world: World) -> None:
    for step in CHAIN[1:]:
        with pytest.raises(PerennialError):
            world.run(step, TODAY)


def test_a_statement_is_not_begun_for_a_step_that_was_cancelled_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in CHAIN[:3]:
        world.run(step, TODAY)
    connect = MsSqlHook.get_conn

    def slowly(hook: MsSqlHook) -> object:
        time.sleep(1)
        return connect(hook)

    async def cancel_while_it_connects() -> None:
        monkeypatch.setattr(MsSqlHook, "get_conn", slowly)
        backup = asyncio.create_task(world.step(BACKUP, TODAY).work_within_deadline())
        await asyncio.sleep(0.5)
        backup.cancel()
        await asyncio.gather(backup, return_exceptions=True)
        monkeypatch.setattr(MsSqlHook, "get_conn", connect)
        await asyncio.sleep(1.5)

    world.runner.run(cancel_while_it_connects())
    with pytest.raises(PartError):
        world.run(CLOSE, TODAY)
    assert world.files(TODAY) == []


def test_a_file_that_the_vault_has_lost_is_made_again_by_the_next_attempt(world: World) -> None:
    for step in CHAIN[:4]:
        world.run(step, TODAY)
    vault = world.vault
    key = vault.documents.prefix + world.files(TODAY)[0]
    world.storage.client().delete_object(Bucket=vault.documents.bucket, Key=key)
    with pytest.raises(DamagedBackupError, match=r"full-01\.bak is not there"):
        world.run(VERIFY, TODAY)
    with pytest.raises(PartError):
        world.run(CLOSE, TODAY)
    world.back_up(TODAY, "run-2")
    assert_one_of_each(world, TODAY)


def test_an_open_that_meets_its_deadline_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    trigger = world.step(OPEN, TODAY)
    trigger.deadline = 1
    monkeypatch.setattr(OpenRecoveryPointTrigger, "_begin", never)
    with pytest.raises(UnavailableError, match="did not end within"):
        world.runner.run(trigger.work_within_deadline())
    assert world.lease("acme").owner is None


def test_an_extra_that_could_not_be_swept_is_swept_the_next_time(world: World) -> None:
    for step in CHAIN[:-1]:
        world.run(step, TODAY)
    specification = [{"ResourceType": "snapshot", "Tags": world.snapshots(TODAY)[0]["Tags"]}]
    volume = world.entries["acme"]["web"]["volume"]
    world.cloud.client("ec2").create_snapshot(VolumeId=volume, TagSpecifications=specification)
    world.cloud.add_fault("ec2:DeleteSnapshot", code="UnauthorizedOperation", status=403)
    with pytest.raises(UnavailableError, match=r"acme is verified, but an extra snapshot .* could not be deleted"):
        world.run(CLOSE, TODAY)
    assert world.lease("acme").owner is None
    world.back_up(TODAY)
    assert_one_of_each(world, TODAY)
