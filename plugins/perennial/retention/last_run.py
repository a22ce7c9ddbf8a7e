"""When retention last looked at the whole fleet: one small document of the vault."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from include.rules.errors import ConflictError, PartError
from include.rules.retention.records import LastRun
from perennial.hooks.vault.documents import DocumentStore, Stored

KEY = "last-retention.json"


async def last_retention(documents: DocumentStore) -> LastRun | None:
    """The last run that looked at the whole fleet to its end; None before the first one.

    Raises:
        PartError: when the document cannot be read: without it the guards cannot count.
    """
    return _parsed(await documents.get(KEY))


async def record_retention(documents: DocumentStore, at: datetime, owner: str) -> None:
    """The run for the moment `at` has looked at the whole fleet."""
    while True:
        stored = await documents.get(KEY)
        before = _parsed(stored)
        last = before.advanced_to(at, owner) if before else LastRun(at=at, owner=owner)
        content = last.model_dump(mode="json")
        with suppress(ConflictError):
            await (documents.replace(KEY, content, stored.etag) if stored else documents.create(KEY, content))
            return


def _parsed(stored: Stored | None) -> LastRun | None:
    try:
        return LastRun.model_validate(stored.content) if stored else None
    except ValidationError as error:
        raise PartError(
            f"{KEY} in the vault is not what this version writes.",
            why="Without it retention does not know how many points may go, so none did.",
            todo="Compare it with docs/vault.md, or delete it: the next run then counts as the first.",
        ) from error
