"""A server of the lab is killed in the midst of every step and started again: backup and restore still come right.

A step may carry on by itself, or fail with a message for an operator; begun again, as Airflow does, it comes to its
end, and nothing is there twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from include.rules.errors import PartError, PerennialError
from include.rules.points.transitions import State
from lab.testing.cloud import LabCloud
from lab.testing.deadlines import pace
from lab.testing.storage import LabStorage
from perennial.backup.bak import BackupDatabaseTrigger
from perennial.restore.safety_point import TakeSafetyPointTrigger
from perennial.steps.trigger import StepTrigger
from tests.support import sweeps
from tests.support.steps import RESTORE, TODAY
from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

ATTEMPTS = 2
ASK_ALL = (BackupDatabaseTrigger, TakeSafetyPointTrigger)
HELD_SECONDS = pace()
"""How long the first call of a step is held up, so that the server dies with the call in its hands."""


def strike_in_a_call(server: LabCloud | LabStorage) -> Callable[[threading.Event], bool]:
    """Kill and start a server as soon as it has a call in its hands; the call says nothing more."""

    def strike(over: threading.Event) -> bool:
        while not server.faults.hits():
            if over.wait(0.02):
                server.faults.clear()
                return False
        server.kill()
        server.start()
        return True

    server.faults.add("*", delay=HELD_SECONDS)
    return strike


def strike_in_a_statement(world: World) -> Callable[[threading.Event], bool]:
    """Kill and start SQL Server while a BACKUP or RESTORE, which the test slows down, is under way."""

    def strike(over: threading.Event) -> bool:
        query = "SELECT 1 FROM sys.dm_exec_requests WHERE command LIKE N'BACKUP%' OR command LIKE N'RESTORE%'"
        while not world.sql.run(query):
            if over.wait(0.02):
                return False
        world.sql.crash_and_restart()
        return True

    return strike


@sweeps.every(20)
@pytest.mark.parametrize("server", ["cloud", "storage", "sql"])
def test_a_backup_and_a_restore_outlive_a_server_killed_in_every_step(world: World, server: str, every: int) -> None:
    before, struck = world.rows("acme"), 0

    def run(number: int, step: StepTrigger) -> None:
        """Run a step, and kill the server in every which one: those that ask all servers are always among them."""
        nonlocal struck
        if number % every == 0 or isinstance(step, ASK_ALL):
            struck += _struck(world, server, lambda: world.runner.run(step.work_within_deadline()))
        else:
            world.runner.run(step.work_within_deadline())

    for number, step in enumerate(world.steps(TODAY)):
        run(number, step)
    assert world.manifest(TODAY).state is State.VERIFIED
    assert (len(world.snapshots(TODAY)), len(world.files(TODAY))) == (2, 1)

    (world.site("acme") / "index.html").write_text("defaced")
    world.sql.run("DELETE FROM dbo.orders WHERE id < 20", database=world.entries["acme"]["database"]["name"])
    objection = ""
    try:
        for number, restore_step in enumerate(RESTORE):
            run(number, world.restore_step(restore_step))
    except PartError as error:
        objection = str(error)
    if objection:
        # A database that may be half written is not for a step's own retry: the operator clears `open`.
        assert "clear the task `open` of this run" in objection
        world.carry_out(RESTORE[1:])
    assert (world.site("acme") / "index.html").read_text() == "welcome to acme"
    assert world.rows("acme") == before
    tag = [{"Name": "tag:perennial:restore", "Values": ["*"]}, {"Name": "tag:perennial:tenant", "Values": ["acme"]}]
    vault = {"Name": "tag:perennial:vault", "Values": [world.vault.settings.vault]}
    assert world.cloud.client("ec2").describe_volumes(Filters=[*tag, vault])["Volumes"] == []
    assert struck >= 2


def _struck(world: World, server: str, work: Callable[[], object]) -> bool:
    """Do a step's work while its server is killed and started once; whether that happened."""
    over = threading.Event()
    with world.sql.slowed(1, 1), ThreadPoolExecutor(1) as pool:
        if server == "sql":
            strike = strike_in_a_statement(world)
        else:
            strike = strike_in_a_call(world.cloud if server == "cloud" else world.storage)
        killer = pool.submit(strike, over)
        try:
            _done(work)
        finally:
            over.set()
        return killer.result()


def _done(work: Callable[[], object]) -> None:
    """Do it, and again when it says that it failed, as Airflow would."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            work()
        except PerennialError as error:
            print(f"attempt {attempt}: {error}")
            if attempt == ATTEMPTS:
                raise
            time.sleep(HELD_SECONDS)
        else:
            return
