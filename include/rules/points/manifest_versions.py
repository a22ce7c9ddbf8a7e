"""Manifests of earlier versions, read as what this version would have written: a vault outlives every release."""

from __future__ import annotations

from typing import Any

_OF_THE_FILE = ("key", "size_bytes", "etag", "checksum")


def upgraded(document: Any) -> Any:
    """The manifest as version 3 has it; what is of no earlier version is returned as it is, for the model to judge.

    Version 1 knew one file: the claim had its `key`, and the part `bak` had `key`, `size_bytes`, `etag` and `checksum`.
    In version 2 every snapshot belonged to one point; it has no `claim`, and version 3 reads that as it is.
    """
    if not isinstance(document, dict) or document.get("version") not in (1, 2):
        return document
    if document["version"] == 2:
        return {**document, "version": 3}
    parts = document.get("parts")
    if isinstance(parts, dict):
        parts = {**parts, "bak": _with_files(parts.get("bak"))}
    return {**document, "version": 3, "claim": _with_keys(document.get("claim")), "parts": parts}


def _with_keys(claim: Any) -> Any:
    if not isinstance(claim, dict) or "key" not in claim:
        return claim
    return {**{name: value for name, value in claim.items() if name != "key"}, "keys": [claim["key"]]}


def _with_files(bak: Any) -> Any:
    if not isinstance(bak, dict) or "key" not in bak:
        return bak
    file = {name: bak[name] for name in _OF_THE_FILE if name in bak}
    return {**{name: value for name, value in bak.items() if name not in _OF_THE_FILE}, "files": [file]}
