"""The register's files: read from a folder or from S3, and never taken for an empty fleet when they cannot be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from include.rules.errors import ConfigurationError
from include.rules.register.register import Register
from lab.testing.cloud import LabCloud
from perennial.hooks.register import read_register
from perennial.settings import Settings
from tests.support.vaults import VaultUnderTest
from tests.unit.builders import PLANS, tenant_entry

pytestmark = pytest.mark.lab

TENANTS = {"tenants": [tenant_entry("acme", 1), tenant_entry("globex", 2)]}


def read(vault: VaultUnderTest) -> Register:
    return vault.run(lambda _: read_register(Settings.from_environment()))


def test_the_register_is_read_from_a_folder(moto_vault: VaultUnderTest, tmp_path: Path) -> None:
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(TENANTS))
    (tmp_path / "plans.yaml").write_text(yaml.safe_dump(PLANS))
    assert set(read(moto_vault).tenants) == {"acme", "globex"}


@pytest.mark.parametrize("folder", ["", "/", "/some/folder", "/some/folder/"])
def test_the_register_is_read_from_s3(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, s3 = moto_vault.settings.vault_bucket, lab_cloud.client("s3")
    for name, content in (("tenants.yaml", TENANTS), ("plans.yaml", PLANS)):
        s3.put_object(
            Bucket=bucket, Key=f"{folder.strip('/')}/{name}".lstrip("/"), Body=yaml.safe_dump(content).encode()
        )
    monkeypatch.setenv("PERENNIAL_CONFIG", f"s3://{bucket}{folder}")
    assert set(read(moto_vault).tenants) == {"acme", "globex"}


def test_a_missing_file_is_named_wherever_it_should_be(
    moto_vault: VaultUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=r"tenants\.yaml cannot be read: .*nothing was done"):
        read(moto_vault)
    monkeypatch.setenv("PERENNIAL_CONFIG", f"s3://{moto_vault.settings.vault_bucket}/nowhere")
    with pytest.raises(ConfigurationError, match=r"nowhere/tenants\.yaml cannot be read: .*NoSuchKey"):
        read(moto_vault)


NO_YAML = [
    "tenants: [",
    "tenants: [{tags: {day: 2026-13-45}}]",
    "\t- x",
    "a: b: c",
    "!!python/object/apply:os.system ['true']",
]


@pytest.mark.parametrize("text", NO_YAML)
def test_what_is_no_yaml_is_refused_with_the_place(moto_vault: VaultUnderTest, tmp_path: Path, text: str) -> None:
    (tmp_path / "tenants.yaml").write_text(text)
    (tmp_path / "plans.yaml").write_text(yaml.safe_dump(PLANS))
    with pytest.raises(ConfigurationError, match=r"tenants\.yaml is no YAML"):
        read(moto_vault)


def test_bytes_that_are_no_text_are_refused(moto_vault: VaultUnderTest, tmp_path: Path) -> None:
    (tmp_path / "tenants.yaml").write_bytes(b"\xff\xfe\x00tenants")
    (tmp_path / "plans.yaml").write_text(yaml.safe_dump(PLANS))
    with pytest.raises(ConfigurationError, match=r"tenants\.yaml cannot be read"):
        read(moto_vault)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PERENNIAL_VAULT", ""),
        ("PERENNIAL_VAULT", "my-bucket"),
        ("PERENNIAL_VAULT", "s3://"),
        ("PERENNIAL_BACKUP_URL", "https://x"),
        ("PERENNIAL_LEASE_SECONDS", "soon"),
        ("PERENNIAL_POLL_SECONDS", "0"),
        ("PERENNIAL_POLL_SECONDS", "nan"),
        ("PERENNIAL_LEASE_SECONDS", "inf"),
        ("PERENNIAL_VAULT", "s3://user:word@bucket"),
        ("PERENNIAL_VAULT", "s3://bucket?x=1"),
        ("PERENNIAL_BACKUPS_PER_SERVER", "-1"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    moto_vault: VaultUnderTest, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=re.escape(f"The environment variable {variable} is {value!r}")):
        Settings.from_environment()


def test_a_vault_may_lie_below_a_prefix(monkeypatch: pytest.MonkeyPatch, moto_vault: VaultUnderTest) -> None:
    monkeypatch.setenv("PERENNIAL_VAULT", "s3://bucket/a/b/")
    settings = Settings.from_environment()
    assert (settings.vault_bucket, settings.vault_prefix) == ("bucket", "a/b/")
    monkeypatch.setenv("PERENNIAL_VAULT", "s3://bucket")
    assert Settings.from_environment().vault_prefix == ""
