"""The step `verify`: no file that is damaged, replaced or lost makes a verified recovery point."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.rules.errors import DamagedBackupError, PartError, UnavailableError
from include.rules.points.manifest import Verification
from include.rules.points.transitions import State
from perennial.backup import verify
from perennial.hooks.sql_server.read_backup import read_backup
from tests.support.holdings import assert_one_of_each
from tests.support.steps import CLOSE, TODAY, VERIFY, chain_before, chain_from
from tests.support.world import World

pytestmark = pytest.mark.lab


def test_a_damaged_file_is_never_verified_and_never_adopted(world: World) -> None:
    for step in chain_before(VERIFY):
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
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    world.write_file(world.files(TODAY)[0], b"short")
    with pytest.raises(DamagedBackupError, match=r"full-01\.bak has 5 bytes; recorded were"):
        world.run(VERIFY, TODAY)


def test_a_file_that_was_overwritten_since_is_not_verified(world: World) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    key = world.files(TODAY)[0]
    world.write_file(key, flipped(world.read_file(key)))
    with pytest.raises(DamagedBackupError, match=r"full-01\.bak is another object than the one that was recorded"):
        world.run(VERIFY, TODAY)


def flipped(body: bytes) -> bytes:
    """The bytes with one bit changed in their midst."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def test_damage_counts_although_a_step_that_was_fenced_off_has_just_verified_the_point_and_closed_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    key = world.files(TODAY)[0]
    world.write_file(key, flipped(world.read_file(key)))
    point, now = world.manifest(TODAY).id, datetime.now(UTC)
    proof = Verification(level=2, at=now, checks=("those of the former step",))

    async def read_meanwhile(*arguments: Any) -> Any:
        await world.vault.change_point("acme", point, lambda m: m.complete().verified(proof).closed(now))
        return await read_backup(*arguments)

    monkeypatch.setattr(verify, "read_backup", read_meanwhile)
    with pytest.raises(DamagedBackupError):
        world.run(VERIFY, TODAY)
    assert world.manifest(TODAY).closed_at is None
    with pytest.raises(PartError):
        world.run(CLOSE, TODAY)
    manifest = world.manifest(TODAY)
    assert (manifest.state, manifest.verification, manifest.closed_at is None) == (State.FAILED, None, False)


def test_another_database_under_the_same_file_name_is_not_verified(world: World) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    url = world.vault.backup_file_url(world.files(TODAY)[0])
    other = world.add_tenant("globex")["database"]["name"]
    world.sql.run(f"BACKUP DATABASE [{other}] TO URL = N'{url}' WITH FORMAT, CHECKSUM, COMPRESSION, NAME = N'other'")
    world.record_files_as_they_are(TODAY)
    with pytest.raises(DamagedBackupError, match="its header is not that of this backup: DatabaseName"):
        world.run(VERIFY, TODAY)


def test_a_file_that_the_vault_has_lost_is_made_again_by_the_next_attempt(world: World) -> None:
    for step in chain_before(VERIFY):
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


READ_ONCE: list[tuple[str, dict[str, Any]]] = [
    ("sql:VerifyOnly", {"number": 3203, "os_error": 64, "percent": 50}),
    ("sql:HeaderOnly", {"number": 3201, "os_error": 121}),
    ("sql:VerifyOnly", {"number": 3203, "os_error": 38}),
    ("sql:VerifyOnly", {"number": 3189}),
]


def test_a_backup_that_could_not_be_read_only_once_stands(world: World) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    unverified = world.manifest(TODAY)
    for action, rule in READ_ONCE:
        world.change_manifest(TODAY, lambda _: unverified)
        with world.sql.failing(action, **rule) as faults:
            world.run(VERIFY, TODAY)
            assert len(faults.report()["hits"]) == 1, rule
        manifest = world.manifest(TODAY)
        assert manifest.parts.bak == unverified.parts.bak
        assert manifest.verification
        assert manifest.verification.level == 2


NOT_READ: list[tuple[dict[str, Any], str]] = [
    ({"number": 3203, "os_error": 64}, "network"),
    ({"number": 3203, "os_error": 31}, "Mend what SQL Server complains about"),
    ({"number": 3201, "os_error": 5}, "CREDENTIAL"),
    ({"number": 8902, "severity": 17, "message": "Memory allocation error."}, "answer again"),
]


def test_a_backup_that_cannot_be_read_for_another_reason_than_damage_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    bak = world.manifest(TODAY).parts.bak
    monkeypatch.setenv("PERENNIAL_POLL_SECONDS", "0.02")
    for rule, advice in NOT_READ:
        with (
            world.sql.failing("sql:VerifyOnly", times=None, **rule),
            pytest.raises(UnavailableError, match=rf"could not be verified.*{advice}.*nothing is made anew"),
        ):
            world.run(VERIFY, TODAY)
        assert world.manifest(TODAY).parts.bak == bak
    for step in chain_from(VERIFY):
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_a_backup_that_looks_damaged_twice_is_thrown_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    monkeypatch.setenv("PERENNIAL_POLL_SECONDS", "0.02")
    with world.sql.failing("sql:VerifyOnly", number=3203, os_error=38, times=None) as faults:
        with pytest.raises(DamagedBackupError, match="error 3203"):
            world.run(VERIFY, TODAY)
        assert len(faults.report()["hits"]) == 2
    assert world.manifest(TODAY).parts.bak is None
