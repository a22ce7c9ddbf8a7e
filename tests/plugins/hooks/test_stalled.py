"""A step that was stalled, or whose lease has gone on without it, is fenced, whatever its process remembers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.rules.errors import OutrankedError
from include.rules.points.leases import EFFECT_WITHIN, Lease
from lab.testing.deadlines import within
from perennial.hooks.vault import leases, memory, tenant_lease
from perennial.hooks.vault.documents import DocumentStore
from perennial.hooks.vault.vault import Vault
from tests.support.elsewhere import OWNER, begin_elsewhere, meanwhile, opened, reads
from tests.support.vaults import VaultUnderTest

__all__ = ["reads"]

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("stalled", [False, True])
def test_one_that_was_stalled_while_it_took_its_token_does_not_take_it_from_its_successor(
    moto_vault: VaultUnderTest, monkeypatch: pytest.MonkeyPatch, stalled: bool
) -> None:
    replace, overtaken = DocumentStore.replace, False

    async def be_overtaken(self: DocumentStore, key: str, content: dict[str, Any], etag: str) -> Any:
        nonlocal overtaken
        if not overtaken:
            overtaken = True
            await meanwhile(begin_elsewhere)
            if stalled:
                passed = memory.clock() + EFFECT_WITHIN.total_seconds()
                monkeypatch.setattr(tenant_lease, "clock", lambda: passed)
        return await replace(self, key, content, etag)

    async def follow(vault: Vault) -> None:
        await opened(vault)
        monkeypatch.setattr(DocumentStore, "replace", be_overtaken)
        if stalled:
            with pytest.raises(OutrankedError):
                async with tenant_lease.continue_under_lease(vault, "acme", OWNER, incarnation="stalled"):
                    pytest.fail("it has taken the token from its successor")
        else:
            async with tenant_lease.continue_under_lease(vault, "acme", OWNER, incarnation="later") as lease:
                assert lease.token == 3

    moto_vault.run(follow)


def test_a_lease_is_read_again_when_the_stores_word_on_it_is_old(
    moto_vault: VaultUnderTest, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    async def outrank(vault: Vault) -> None:
        await opened(vault)
        async with tenant_lease.continue_under_lease(vault, "acme", OWNER, incarnation="here") as lease:
            await meanwhile(begin_elsewhere)
            passed = memory.clock() + EFFECT_WITHIN.total_seconds() + 0.1
            monkeypatch.setattr(leases, "clock", lambda: passed)
            reads.clear()
            with pytest.raises(OutrankedError):
                await lease.check()
            assert reads == ["leases/acme.json"]

    moto_vault.run(outrank)


CHILD = """
import asyncio, sys
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings

async def main():
    async with closing_clients():
        vault = Vault(Settings.from_environment())
        async with tenant_lease.continue_under_lease(vault, "acme", "run-1", incarnation="stopped") as lease:
            print("ready", flush=True)
            sys.stdin.readline()
            try:
                await lease.check()
            except Exception as error:
                print(type(error).__name__, flush=True)
            else:
                print("acts", flush=True)

asyncio.run(main())
"""


def test_a_process_that_was_stopped_is_fenced(moto_vault: VaultUnderTest) -> None:
    moto_vault.run(opened)
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'plugins'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin
        assert child.stdout
        try:
            while (line := child.stdout.readline()) != "ready\n":
                assert line, "the child has ended"
            child.send_signal(signal.SIGSTOP)
            moto_vault.run(begin_elsewhere)
            time.sleep(EFFECT_WITHIN.total_seconds() + 0.1)
            child.send_signal(signal.SIGCONT)
            said, _ = child.communicate("go on\n", timeout=within(30))
        finally:
            child.kill()
    assert said == "OutrankedError\n"


def test_a_lease_about_to_expire_is_always_read() -> None:
    ttl, now, moment = timedelta(minutes=10), datetime.now(UTC), timedelta(seconds=1)
    lease = Lease(tenant="acme", owner=OWNER, expires_at=now + ttl * 0.8)
    assert lease.proves(moment, EFFECT_WITHIN, now=now, ttl=ttl)
    assert not lease.proves(moment, EFFECT_WITHIN, now=now + ttl * 0.4, ttl=ttl)
    assert not lease.proves(3 * moment, EFFECT_WITHIN, now=now, ttl=ttl)
    short = timedelta(seconds=30)
    assert not lease.model_copy(update={"expires_at": now + short}).proves(moment, EFFECT_WITHIN, now=now, ttl=short)
