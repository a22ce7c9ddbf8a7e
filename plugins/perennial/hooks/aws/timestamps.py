"""Moments in AWS's answers, read by Python itself where they have the usual form.

botocore lets dateutil guess the form of each: 0.1 ms of CPU for each key of a listing and each snapshot of a page, more
than all the rest of reading such an answer takes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.utils import parse_timestamp


def read_timestamp(value: Any) -> datetime:
    """The moment that AWS has written; `2026-11-26T05:45:22.000Z` at once, all other forms as botocore reads them.

    Raises:
        ValueError: when it is none.
    """
    if isinstance(value, str) and value.endswith("Z") and value[10:11] == "T":
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass  # botocore knows more forms
    moment: datetime = parse_timestamp(value)
    return moment


def read_timestamps_quickly(client: Any) -> None:
    """Let this client read moments so; botocore has a public way for whole sessions only, and Airflow keeps those."""
    client._endpoint._response_parser_factory.set_parser_defaults(timestamp_parser=read_timestamp)
