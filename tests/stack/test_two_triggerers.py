"""Two triggerers, of which the first only stalls: the second takes its steps over, and the first does them no harm."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from lab.processes import procfile_commands
from lab.testing.deadlines import within
from lab.waiting import wait_until
from lab.wreck import wreck
from tests.stack.holdings import assert_one_of_each, client, lease_of, manifest_of
from tests.stack.test_backups import slow_backups, wait_for_running
from tests.stack.test_restores import assert_nothing_is_left, back_up
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.sweep, pytest.mark.timeout(900)]

SECOND = "triggerer-2"
SOON = {"AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "12"}
"""How long (seconds) the second triggerer waits for a sign of life of the first."""


def family(leader: psutil.Process | None) -> list[psutil.Process]:
    assert leader
    return [leader, *leader.children(recursive=True)]


def freeze(processes: list[psutil.Process]) -> None:
    for process in processes:
        process.suspend()


def thaw(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.resume()


@contextmanager
def second_triggerer(stack: RunningStack) -> Iterator[None]:
    """Another triggerer, up, for the time of the block."""
    processes = stack.stack.processes
    processes.log(SECOND).unlink(missing_ok=True)
    processes.start(SECOND, procfile_commands()["triggerer"], stack.stack.environment | SOON)
    try:
        log = processes.log(SECOND)
        is_up = lambda: "Starting the triggerer" in log.read_text(errors="replace")  # noqa: E731
        wait_until(is_up, within(120), "the second triggerer is not up")
        yield
    finally:
        processes.stop([SECOND])


def hand_over(stack: RunningStack, tenant: str) -> None:
    """Stall the first triggerer until the second has taken its step over, and let it go on then."""
    token = lease_of(stack, tenant)["token"]
    with second_triggerer(stack):
        first = family(stack.stack.processes.leader("triggerer"))
        freeze(first)
        try:
            has_taken_over = lambda: lease_of(stack, tenant)["token"] > token  # noqa: E731
            wait_until(has_taken_over, within(120), "the second triggerer has taken nothing over")
        finally:
            thaw(first)
        time.sleep(within(10) / 3)  # the first learns that it is no longer the one, and is told to cancel its triggers


@contextmanager
def holding_copy(stack: RunningStack) -> Iterator[Callable[[], psutil.Process]]:
    """Hold up the next script of a host that copies files back; the block gets what waits for it to be held."""
    folder = stack.settings.state / "cloud" / "commands"
    known = set(folder.rglob("*"))
    held: list[psutil.Process] = []

    def is_held() -> bool:
        fresh = {file for file in folder.rglob("*") if file not in known and file.suffix == ".sh"}
        scripts = [file for file in fresh if copies(_text(file))]
        known.update(fresh - set(scripts))
        held.extend(p for p in psutil.process_iter() if scripts and str(scripts[0]) in _arguments(p)[-1:])
        freeze(held)
        return bool(held)

    def wait() -> psutil.Process:
        end = time.monotonic() + within(120)
        while not is_held():
            assert time.monotonic() < end, "the script never began"
        return held[0]

    try:
        yield wait
    finally:
        thaw(held)


def copies(script: str) -> bool:
    """Whether a script is `copy_tree`, and not one that only looks whether it could copy."""
    only_looks = re.search(r"^ONLY_LOOK_SECONDS='(?!0')", script, re.MULTILINE)
    return "find_source" in script and not only_looks  # which no other script does


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(errors="replace")
    return ""


def _arguments(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline() if "supervisor" not in " ".join(process.cmdline()) else []
    return []


def test_a_triggerer_that_stalls_during_the_copy_leaves_the_script_to_its_successor(stack: RunningStack) -> None:
    back_up(stack, "acme")
    before = stack.fingerprint("acme")
    wreck(stack.settings, stack.tenant("acme"))
    with holding_copy(stack) as wait_until_held:
        run = stack.trigger("restore", tenant="acme", confirm="acme")
        script = wait_until_held()
        hand_over(stack, "acme")
        assert script.is_running()
        assert stack.task_states("restore", run)["copy_files"] == "deferred"
    assert stack.wait_for_run("restore", run) == "success"
    assert stack.fingerprint("acme") == before
    invocations = client(stack.settings, "ssm").list_command_invocations()["CommandInvocations"]
    assert not [i for i in invocations if i["Status"] in ("Cancelled", "Cancelling") and run in i.get("Comment", "")]
    assert_nothing_is_left(stack)


def test_a_triggerer_that_stalls_during_a_bak_leaves_the_statement_to_its_successor(stack: RunningStack) -> None:
    slow_backups(stack, 90)
    try:
        run = stack.trigger("manual_backup", tenant="globex")
        wait_for_running(stack, "BACKUP DATABASE")
        slow_backups(stack, 0)
        hand_over(stack, "globex")
    finally:
        slow_backups(stack, 0)
    assert stack.wait_for_run("manual_backup", run) == "success"
    manifest = manifest_of(stack, "globex", run)
    assert manifest["claim"]["number"] == 1, "the statement was ended, and began again"
    assert_one_of_each(stack, manifest)
