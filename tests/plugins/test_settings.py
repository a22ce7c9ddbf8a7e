"""Settings: what a wrong environment variable is told, and what holds where there is none."""

from __future__ import annotations

import pytest

from include.rules.errors import ConfigurationError
from perennial.settings import Settings


@pytest.fixture(autouse=True)
def _vault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_VAULT", "s3://vault")
    monkeypatch.setenv("PERENNIAL_BACKUP_URL", "s3://vault.s3.eu-central-1.amazonaws.com")


def test_a_file_of_a_backup_takes_half_of_what_it_could_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERENNIAL_STRIPE_MB", raising=False)
    assert Settings.from_environment().stripe_bytes == 50_000 * 1_048_576


@pytest.mark.parametrize("value", ["0", "-1", "100001", "many", "", "nan"])
def test_a_file_that_s3_cannot_hold_is_refused_with_the_limit(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PERENNIAL_STRIPE_MB", value)
    with pytest.raises(ConfigurationError, match=r"PERENNIAL_STRIPE_MB is '.*', not a number from 0 to 100,000\."):
        Settings.from_environment()
