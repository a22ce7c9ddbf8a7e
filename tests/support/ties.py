"""What ties a tenant's database down on the lab's SQL Server, for as long as a block lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.restores import database
from tests.support.world import World


@contextmanager
def in_a_group(world: World) -> Iterator[None]:
    """The database has joined an availability group: 1468 for ALTER DATABASE, 3104 for RESTORE, 3752 for DROP."""
    name = database(world)
    world.sql.run(f"ALTER AVAILABILITY GROUP [ag] ADD DATABASE [{name}]")
    yield
    world.sql.run(f"ALTER AVAILABILITY GROUP [ag] REMOVE DATABASE [{name}]")


@contextmanager
def with_a_snapshot(world: World) -> Iterator[None]:
    """A database snapshot refers to the database: 3709."""
    name = database(world)
    file = world.sql.folder / "data" / f"{name}_noon.ss"
    world.sql.run(f"CREATE DATABASE [{name}_noon] ON (NAME = [{name}], FILENAME = N'{file}') AS SNAPSHOT OF [{name}]")
    yield
    world.sql.run(f"DROP DATABASE [{name}_noon]")
