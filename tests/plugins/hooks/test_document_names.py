"""What lies in the vault and is called like a document, and what somebody has put beside it."""

from __future__ import annotations

from datetime import date

import pytest

from perennial.hooks.vault.vault import Vault
from tests.support.vaults import VaultUnderTest

pytestmark = pytest.mark.lab


def test_only_what_is_called_like_a_document_is_listed_as_one(weed_vault: VaultUnderTest) -> None:
    """People put copies beside documents; a name that is none leads to nothing, or hides one that is."""
    volume, point, restore = "vol-0aaaaaaaaaaaaaaa1", "acme-daily-20261123", "acme-restore-20261123T101502Z"
    documents = [
        f"shared-snapshots/{volume}/20261126-0001.json",
        f"recovery-points/acme/{point}/manifest.json",
        f"restores/acme/{restore}.json",
        "offboarded/globex.json",
    ]
    among_claims = [f"shared-snapshots/{volume}/20261126-{name}" for name in ("0001.json.bak", "0002", "copies/1.json")]
    strays = [
        *among_claims,
        "shared-snapshots/notes.json",
        f"recovery-points/acme/{point}/old/manifest.json",
        f"restores/acme/{restore}.json.bak",
        "restores/acme/zz-notes.json",
        "offboarded/globex.json.bak",
        "offboarded/of globex.json",
    ]

    async def list_all(vault: Vault) -> tuple[object, ...]:
        for key in [*documents, *strays]:
            await vault.documents.create(key, {})
        return (
            await vault.shared_snapshot_ids(volume),
            await vault.shared_snapshot_ids(volume, date(2026, 11, 26)),
            await vault.shared_snapshot_names(),
            await vault.point_ids("acme"),
            await vault.restores.ids("acme"),
            await vault.offboarded_tenants(),
        )

    one, of_day, all_names, *others = weed_vault.run(list_all)
    assert one == of_day == ["20261126-0001"]
    assert all_names == ([(volume, "20261126-0001")], ["shared-snapshots/notes.json", *sorted(among_claims)])
    assert others == [[point], [restore], ["globex"]]
