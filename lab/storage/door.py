"""The door of the lab's S3: passes every byte on to weed, except where a fault rule says otherwise.

weed has no faults on order. The door reads only the heads of HTTP messages; bodies stream through in pieces, whatever
their size, and the Host header stays as it is, so that signatures hold. `/lab/faults` and `/lab/health` are answered
here: no bucket can be called `lab`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from lab.faults.answers import error_answer
from lab.faults.calls import s3_call
from lab.faults.rules import FaultRules
from lab.neighbours import health
from lab.settings import HOST

PIECE = 256 * 1024
LARGEST_HEAD = 128 * 1024
CONTROL = "/lab/faults"
HEALTH = "/lab/health"

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass(frozen=True)
class Head:
    """First line and headers of an HTTP message; header names are in lower case."""

    raw: bytes
    words: list[str]
    headers: dict[str, str]

    @classmethod
    async def read(cls, reader: Reader) -> Head | None:
        """The next head, None when the other side has closed."""
        try:
            raw = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = raw.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        return cls(raw, first.split(" ", 2), {name.lower(): value.strip() for name, _, value in pairs})

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"

    @property
    def is_chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        """Bytes of the body as the head tells, None where it does not."""
        return int(self.headers["content-length"]) if "content-length" in self.headers else None


class StorageProxy:
    """Serves the lab's S3 on one port of the loopback interface.

    Args:
        inner_port: Where weed answers.
        state: The lab's state folder, by which `/lab/health` says whose S3 this is.
    """

    def __init__(self, inner_port: int, state: Path) -> None:
        self.rules = FaultRules(services=["s3"], unknown=["lag", "snapshot_state"])
        self._inner_port = inner_port
        self._state = state

    async def serve(self, port: int) -> None:
        """Answer until cancelled."""
        server = await asyncio.start_server(self._serve_client, HOST, port, limit=LARGEST_HEAD, backlog=256)
        async with server:
            await server.serve_forever()

    async def _serve_client(self, reader: Reader, writer: Writer) -> None:
        inner_writer: Writer | None = None
        # A connection that breaks on one side is closed on the other: what it means is the client's to judge.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            inner_reader, inner_writer = await asyncio.open_connection(HOST, self._inner_port, limit=LARGEST_HEAD)
            while head := await Head.read(reader):
                if not await self._serve_call(head, reader, writer, inner_reader, inner_writer):
                    break
        for side in filter(None, (writer, inner_writer)):
            side.close()

    async def _serve_call(
        self, head: Head, reader: Reader, writer: Writer, inner_reader: Reader, inner_writer: Writer
    ) -> bool:
        """Answer one call; whether the connection can take another."""
        method, target = head.words[:2]
        path, _, query = target.partition("?")
        if path == CONTROL:
            return await self._control(method, head, reader, writer)
        if path == HEALTH:
            await _answer(writer, 200, json.dumps(health(self._state)).encode())
            return False
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
        if "x-amz-copy-source" in head.headers:
            environ["HTTP_X_AMZ_COPY_SOURCE"] = head.headers["x-amz-copy-source"]
        call = s3_call(environ)
        fault = self.rules.take(call)
        if fault is None:
            return await _exchange(head, reader, writer, inner_reader, inner_writer)
        await asyncio.sleep(fault.delay)
        if fault.after:
            await _exchange(head, reader, writer, inner_reader, inner_writer, answer_lost=True)
        elif not (fault.code or fault.drop):
            speed = fault.bytes_per_second
            return await _exchange(head, reader, writer, inner_reader, inner_writer, speed)
        if fault.code:
            if not fault.after and "expect" not in head.headers:
                await _pass_body(head, reader, None)
            answer = error_answer(call, fault.code, fault.message, fault.error_status)
            await _answer(writer, fault.error_status, answer.get_data() if method != "HEAD" else b"", "text/xml")
        return False

    async def _control(self, method: str, head: Head, reader: Reader, writer: Writer) -> bool:
        status = 200
        if method == "POST":
            document = await reader.readexactly(head.length or 0)
            try:
                self.rules.add(document)
                status = 201
            except ValueError as error:
                await _answer(writer, 400, json.dumps({"error": f"No rule was added: {error}"}).encode())
                return False
        elif method == "DELETE":
            self.rules.clear()
        await _answer(writer, status, json.dumps(self.rules.report()).encode())
        return False


async def _answer(writer: Writer, status: int, body: bytes, kind: str = "application/json") -> None:
    head = f"HTTP/1.1 {status} Lab\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _exchange(
    head: Head,
    reader: Reader,
    writer: Writer,
    inner_reader: Reader,
    inner_writer: Writer,
    bytes_per_second: float = 0.0,
    *,
    answer_lost: bool = False,
) -> bool:
    """Pass a call on and its answer back; whether both connections can take another call."""
    inner_writer.write(head.raw)
    upload = asyncio.create_task(_pass_body(head, reader, inner_writer, bytes_per_second))
    try:
        answer = await Head.read(inner_reader)
        while answer and answer.words[1].startswith("1"):  # 100 Continue: the client may send the body now
            writer.write(answer.raw)
            answer = await Head.read(inner_reader)
        if answer is None:
            return False
        back = None if answer_lost else writer
        if back:
            back.write(answer.raw)
        whole = await _pass_answer(head, answer, inner_reader, back, bytes_per_second)
        # An answer before the whole body has been sent is a refusal: the rest of the body has nowhere to go.
        return whole and upload.done() and not (head.closes or answer.closes)
    finally:
        upload.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, asyncio.IncompleteReadError):
            await upload


async def _pass_answer(head: Head, answer: Head, reader: Reader, writer: Writer | None, speed: float) -> bool:
    """Pass the body of an answer; whether its end was told, so that the connection goes on."""
    if head.words[0] == "HEAD" or answer.words[1] in ("204", "304"):
        if writer:
            await writer.drain()
        return True
    if answer.length is None and not answer.is_chunked:
        while piece := await reader.read(PIECE):
            await _pass_piece(piece, writer, speed)
        return False
    await _pass_body(answer, reader, writer, speed)
    return True


async def _pass_body(head: Head, reader: Reader, writer: Writer | None, speed: float = 0.0) -> None:
    """Pass the body that a head announces on to `writer`, or nowhere."""
    if not head.is_chunked:
        await _pass_bytes(head.length or 0, reader, writer, speed)
        return
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        await _pass_piece(line, writer, 0)
        if size:
            await _pass_bytes(size + 2, reader, writer, speed)
    line = b""
    while line != b"\r\n":  # trailers, and the empty line after them
        line = await reader.readuntil(b"\r\n")
        await _pass_piece(line, writer, 0)


async def _pass_bytes(count: int, reader: Reader, writer: Writer | None, speed: float) -> None:
    largest = max(1, min(PIECE, int(speed / 10))) if speed else PIECE
    while count:
        piece = await reader.read(min(count, largest))
        if not piece:
            raise asyncio.IncompleteReadError(b"", count)
        count -= len(piece)
        await _pass_piece(piece, writer, speed)
    if writer:
        await writer.drain()


async def _pass_piece(piece: bytes, writer: Writer | None, speed: float) -> None:
    if speed:
        await asyncio.sleep(len(piece) / speed)
    if writer:
        writer.write(piece)
        await writer.drain()
