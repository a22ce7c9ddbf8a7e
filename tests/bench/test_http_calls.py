"""What a process sends to AWS is counted by its name, whichever way it is sent."""

from __future__ import annotations

import pytest

from bench.http_calls import counting_calls
from include.rules.points.transitions import State
from perennial.hooks.vault.vault import Vault
from tests.support.vaults import VaultUnderTest
from tests.unit.builders import verified

pytestmark = pytest.mark.lab


def test_calls_are_counted_by_name_within_the_block_only(weed_vault: VaultUnderTest) -> None:
    async def work(vault: Vault) -> State:
        await vault.points.create(verified())
        with counting_calls() as calls:
            assert await vault.point_ids("acme") == [verified().id]
            for _ in range(2):
                version = await vault.points.get("acme", verified().id)
        assert dict(calls) == {"s3:ListObjectsV2": 1, "s3:GetObject": 2}
        await vault.points.get("acme", verified().id)
        assert calls.total() == 3
        assert version
        return version.value.state

    assert weed_vault.run(work) is State.VERIFIED
