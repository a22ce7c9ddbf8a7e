"""HTTP messages passed on as they come: heads are read, bodies stream through in pieces, no byte is changed."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

PIECE = 256 * 1024

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


@dataclass(frozen=True)
class Peer:
    """One side of a call: the client that makes it, or the server that carries it out."""

    reader: Reader
    writer: Writer


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


async def exchange(
    head: Head, client: Peer, server: Peer, bytes_per_second: float = 0.0, *, answer_lost: bool = False
) -> bool:
    """Pass a call on and its answer back; whether both connections can take another call."""
    server.writer.write(head.raw)
    upload = asyncio.create_task(pass_body(head, client.reader, server.writer, bytes_per_second))
    try:
        answer = await Head.read(server.reader)
        while answer and answer.words[1].startswith("1"):  # 100 Continue: the client may send the body now
            client.writer.write(answer.raw)
            answer = await Head.read(server.reader)
        if answer is None:
            return False
        back = None if answer_lost else client.writer
        if back:
            back.write(answer.raw)
        whole = await _pass_answer(head, answer, server.reader, back, bytes_per_second)
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
    await pass_body(answer, reader, writer, speed)
    return True


async def pass_body(head: Head, reader: Reader, writer: Writer | None, speed: float = 0.0) -> None:
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
