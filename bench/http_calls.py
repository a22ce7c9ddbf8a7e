"""Counts what a process sends to AWS: every request, those sent again too, by service and action."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from aiobotocore.httpsession import AIOHTTPSession

from lab.faults.calls import read_call


@contextmanager
def counting_calls() -> Iterator[Counter[str]]:
    """Count what all aiobotocore clients of this process send within the block, as `s3:GetObject` for instance."""
    calls: Counter[str] = Counter()
    send = AIOHTTPSession.send

    async def counted(self: Any, request: Any) -> Any:
        calls[_name(request)] += 1
        return await send(self, request)

    AIOHTTPSession.send = counted
    try:
        yield calls
    finally:
        AIOHTTPSession.send = send


def _name(request: Any) -> str:
    url, body = urlsplit(request.url), request.body or b""
    content = body if isinstance(body, bytes) else str(body).encode()
    environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": url.path,
        "QUERY_STRING": url.query,
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
    }
    for name, value in request.headers.items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        environ["HTTP_" + str(name).upper().replace("-", "_")] = text
    return read_call(environ).name
