"""Manifests of earlier versions: what is in a vault stays readable."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from include.rules.points.backup_files import StoredFile
from include.rules.points.manifest import Manifest
from include.rules.points.manifest_versions import upgraded
from include.rules.points.transitions import State
from include.rules.retention.expiry import marked
from tests.unit.builders import NOW, verified

KEY = "recovery-points/acme/acme-daily-20261123/full-01.bak"


@pytest.fixture
def version_1() -> dict[str, Any]:
    """A manifest as a release that wrote version 1 left it in its vault (its web folder renamed)."""
    written: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "manifest-version-1.json").read_text())
    return written


def test_a_manifest_of_version_1_is_read_with_its_one_file(version_1: dict[str, Any]) -> None:
    manifest = Manifest.model_validate(version_1)
    assert manifest.state is State.VERIFIED
    assert manifest.parts.bak
    assert manifest.parts.bak.files == (
        StoredFile(key=KEY, size_bytes=2629, etag='"c839a402bf69dc23c17c2828e842bf8e-1"', checksum={}),
    )
    assert manifest.parts.bak.size_bytes == 2629
    assert manifest.claim
    assert manifest.claim.keys == (KEY,)
    assert manifest.database_files == ()
    assert manifest.source.database.mount is None


def test_a_manifest_of_version_1_is_written_as_version_2_when_it_changes(version_1: dict[str, Any]) -> None:
    manifest = Manifest.model_validate(version_1)
    written = manifest.model_dump(mode="json")
    assert written["version"] == 3
    assert Manifest.model_validate(written) == manifest


def test_a_manifest_of_version_1_without_a_backup_yet_is_read(version_1: dict[str, Any]) -> None:
    version_1["parts"]["bak"], version_1["claim"], version_1["state"] = None, None, "failed"
    assert Manifest.model_validate(version_1).parts.missing() == ("bak",)


def test_reading_changes_nothing_of_what_was_read(version_1: dict[str, Any]) -> None:
    before = deepcopy(version_1)
    upgraded(version_1)
    assert version_1 == before


def test_a_manifest_of_today_needs_no_upgrade() -> None:
    written = verified().model_dump(mode="json")
    assert upgraded(written) is written


@pytest.mark.parametrize("part", ["claim", "parts"])
@pytest.mark.parametrize("damage", [[], 3, "x", {}, {"bak": 3}, {"key": 7}, {"bak": {"key": None}}])
def test_a_damaged_manifest_of_version_1_is_refused_and_raises_nothing_else(
    version_1: dict[str, Any], part: str, damage: object
) -> None:
    version_1[part] = damage
    if (part, damage) == ("parts", {}):
        assert Manifest.model_validate(version_1).parts.missing()
        return
    with pytest.raises(ValidationError):
        Manifest.model_validate(version_1)


def test_what_an_expiring_point_was_is_stored_as_before() -> None:
    manifest = marked(verified(), NOW)
    stored = manifest.model_dump(mode="json")
    assert stored["expiry"] == {"marked_at": "2026-11-23T09:00:00Z", "was": "verified", "deletion_began_at": None}
    assert Manifest.model_validate(stored) == manifest
