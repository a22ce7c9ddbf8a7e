"""The step `verify`: no file that is damaged, replaced or lost makes a verified recovery point."""

from __future__ import annotations

import pytest

from include.rules.errors import DamagedBackupError, PartError
from include.rules.points.transitions import State
from tests.support.holdings import assert_one_of_each
from tests.support.steps import CLOSE, TODAY, VERIFY, chain_before
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
