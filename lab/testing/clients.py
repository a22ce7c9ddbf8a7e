"""boto3 clients of the labs. Making one takes longer than most calls."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from lab.testing.deadlines import within


def new_client(service: str, *, config: dict[str, Any], **options: Any) -> Any:
    """A client of one service.

    Args:
        config: Fields of botocore's Config, and `attempts`: 1 means that botocore does not retry.
        options: Of boto3.client.
    """
    fields = dict(config)
    retries = {"total_max_attempts": fields.pop("attempts"), "mode": "standard"}
    chosen = Config(
        retries=retries, s3={"addressing_style": "path"}, connect_timeout=within(10), read_timeout=within(30), **fields
    )
    return boto3.client(service, config=chosen, **options)


def kept_client(service: str, *, config: dict[str, Any], **options: Any) -> Any:
    """`new_client`, made once for the same arguments: leave its event handlers alone.

    Only for a server that closes each connection after its answer: a kept one may have been closed meanwhile.
    """
    return _made_once(service, frozenset(config.items()), frozenset(options.items()))


@cache
def _made_once(service: str, config: frozenset[tuple[str, Any]], options: frozenset[tuple[str, Any]]) -> Any:
    return new_client(service, config=dict(config), **dict(options))
