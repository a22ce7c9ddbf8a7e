"""Moments in AWS's answers: the same as botocore reads them, and in the usual form without asking dateutil."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.utils import parse_timestamp

from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.timestamps import read_timestamp
from perennial.hooks.vault.vault import Vault
from tests.support.vaults import VaultUnderTest
from tests.unit.builders import verified


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-26T05:45:22.000Z",
        "2026-11-26T05:45:22Z",
        "2026-11-26T05:45:22.123456789Z",
        "20261126T054522Z",
        "2026-11-26T05:45:22+02:00",
        "Thu, 26 Nov 2026 05:45:22 GMT",
        1795671922.5,
        "1795671922",
    ],
)
def test_a_moment_is_the_one_that_botocore_reads(value: Any) -> None:
    assert read_timestamp(value) == parse_timestamp(value)
    assert read_timestamp(value).tzinfo is not None


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        read_timestamp("2026-13-40T05:45:22Z")


@pytest.mark.lab
def test_a_listing_is_read_without_dateutil(weed_vault: VaultUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    async def list_keys(vault: Vault) -> datetime:
        await vault.points.create(verified())
        s3 = await aws_client("s3", vault.settings.aws_conn_id)
        monkeypatch.setattr("dateutil.parser.parse", None)
        listing = await s3.list_objects_v2(Bucket=vault.documents.bucket, Prefix=vault.documents.prefix)
        moment: datetime = listing["Contents"][0]["LastModified"]
        return moment

    assert abs((datetime.now(UTC) - weed_vault.run(list_keys)).total_seconds()) < 120
