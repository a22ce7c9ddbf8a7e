"""The door of the lab's S3: passes every byte on to weed, except where a fault rule says otherwise.

weed has no faults on order. No byte of a call is changed on its way, so that signatures hold; `/lab/faults`,
`/lab/calls` and `/lab/health` are answered here: no bucket can be called `lab`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

from lab.faults.answers import error_answer
from lab.faults.calls import Call, s3_call
from lab.faults.counts import BY_SQL_SERVER, CallCounts
from lab.faults.rules import Fault, FaultRules
from lab.neighbours import health
from lab.settings import HOST, SQL_SERVER_AGENT
from lab.storage.http_messages import Head, Peer, Reader, Writer, exchange, pass_body

LARGEST_HEAD = 128 * 1024
CONTROL = "/lab/faults"
HEALTH = "/lab/health"
CALLS = "/lab/calls"


class StorageProxy:
    """Serves the lab's S3 on one port of the loopback interface.

    Args:
        inner_port: Where weed answers.
        state: The lab's state folder, by which `/lab/health` says whose S3 this is.
    """

    def __init__(self, inner_port: int, state: Path) -> None:
        self.rules = FaultRules(services=["s3"], unknown=["lag", "snapshot_state"])
        self.counts = CallCounts()
        self._inner_port = inner_port
        self._state = state

    async def serve(self, port: int) -> None:
        """Answer until cancelled."""
        server = await asyncio.start_server(self._serve_client, HOST, port, limit=LARGEST_HEAD, backlog=256)
        async with server:
            await server.serve_forever()

    async def _serve_client(self, reader: Reader, writer: Writer) -> None:
        writers = [writer]
        # A connection that breaks on one side is closed on the other: what it means is the client's to judge.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            client = Peer(reader, writer)
            weed = Peer(*await asyncio.open_connection(HOST, self._inner_port, limit=LARGEST_HEAD))
            writers.append(weed.writer)
            while head := await Head.read(reader):
                if not await self._serve_call(head, client, weed):
                    break
        for each in writers:
            each.close()

    async def _serve_call(self, head: Head, client: Peer, weed: Peer) -> bool:
        """Answer one call; whether the connection can take another."""
        method, target = head.words[:2]
        path, _, query = target.partition("?")
        if path == CONTROL:
            await self._serve_control(head, client)
            return False
        if path == HEALTH:
            await _answer(client, 200, json.dumps(health(self._state)))
            return False
        if path == CALLS:
            await _answer(client, 200, json.dumps(self.counts.taken() if method == "DELETE" else self.counts.report()))
            return False
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
        if "x-amz-copy-source" in head.headers:
            environ["HTTP_X_AMZ_COPY_SOURCE"] = head.headers["x-amz-copy-source"]
        call = s3_call(environ)
        is_sql_servers = SQL_SERVER_AGENT in head.headers.get("user-agent", "")
        self.counts.note(f"{call.name}{BY_SQL_SERVER}" if is_sql_servers else call.name)
        fault = self.rules.take(call)
        if fault is None:
            return await exchange(head, client, weed)
        await asyncio.sleep(fault.delay)
        if fault.code or fault.drop or fault.after:
            await _spoil(fault, call, head, client, weed)
            return False
        return await exchange(head, client, weed, fault.bytes_per_second)

    async def _serve_control(self, head: Head, client: Peer) -> None:
        """Add, clear or list the rules."""
        status = 200
        if head.words[0] == "POST":
            document = await client.reader.readexactly(head.length or 0)
            try:
                self.rules.add(document)
                status = 201
            except ValueError as error:
                await _answer(client, 400, json.dumps({"error": f"No rule was added: {error}"}))
                return
        elif head.words[0] == "DELETE":
            self.rules.clear()
        await _answer(client, status, json.dumps(self.rules.report()))


async def _spoil(fault: Fault, call: Call, head: Head, client: Peer, weed: Peer) -> None:
    """Let a call end as a rule says: in an error or in a closed connection, before or after it was carried out."""
    if fault.after:
        await exchange(head, client, weed, answer_lost=True)
    elif fault.code and "expect" not in head.headers:
        await pass_body(head, client.reader, None)
    if fault.code:
        body = error_answer(call, fault.code, fault.message, fault.error_status).get_data(as_text=True)
        await _answer(client, fault.error_status, body if head.words[0] != "HEAD" else "", "text/xml")


async def _answer(client: Peer, status: int, text: str, kind: str = "application/json") -> None:
    body = text.encode()
    head = f"HTTP/1.1 {status} Lab\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    client.writer.write(head.encode() + body)
    await client.writer.drain()
