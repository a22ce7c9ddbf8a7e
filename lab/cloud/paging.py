"""Pages of long lists, with tokens that stay right when entries are deleted between two pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar

Entry = TypeVar("Entry")


def page_of(
    entries: list[Entry], key: Callable[[Entry], str], size: int, token: str | None
) -> tuple[list[Entry], str | None]:
    """The first `size` entries, in the order of their unique `key`, after the one `token` stands for.

    Returns:
        The page and the token of the next one, None on the last page.

    Raises:
        ValueError: the token is not one of ours.
    """
    ordered = sorted(entries, key=key)
    if token:
        last_seen = _read_token(token)
        ordered = [entry for entry in ordered if key(entry) > last_seen]
    page = ordered[:size]
    next_token = base64.urlsafe_b64encode(key(page[-1]).encode()).decode() if len(ordered) > size else None
    return page, next_token


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(f"The token '{token}' is not valid.") from error
