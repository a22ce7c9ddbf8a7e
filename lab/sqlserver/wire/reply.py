"""The answer to one TDS message, streamed: messages, rows and DONE tokens, sent while the statement still runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Protocol

from pysqlbridge.tds.packet import DEFAULT_PACKET_SIZE, HEADER_SIZE
from pysqlbridge.tds.result import Column, ColumnType, col_metadata, row
from pysqlbridge.tds.token import DoneStatus, EnvChangeType, done, env_change
from pysqlbridge.tds.token import error as error_token
from pysqlbridge.tds.token import info as info_token

from lab.sqlserver.errors import Message, message

_ROWS_AT_A_TIME = 500
_INFORMATION = 10  # the highest severity that is not an error
_SELECT = 0xC1  # DONE's word for what a SELECT has done
_DONE_IN_PROCEDURE, _DONE_PROCEDURE = 0xFF, 0xFE
_BODY = DEFAULT_PACKET_SIZE - HEADER_SIZE


class Transport(Protocol):
    """The connection under a reply (see wire), to the server of that name."""

    @property
    def server_name(self) -> str: ...
    def send_packet(self, payload: bytes, number: int, last: bool) -> None: ...
    def look_up(self) -> None: ...


class StreamedReply:
    """Tokens in order.

    Each statement ends in a DONE that says whether more follows; so the last one is held back until something does, or
    until the end.
    """

    def __init__(self, transport: Transport, tds_version: int) -> None:
        self._transport, self._version = transport, tds_version
        self.in_procedure = False  # DONE has another name within a call and at its end
        self._buffer = bytearray()
        self._packets = 0
        self._held: tuple[DoneStatus, int, int] | None = None  # status, command and row count of a DONE

    def message(self, message: Message) -> None:
        self.token(encoded(message, self._transport.server_name, self._version))

    def info(self, number: int, *values: object, state: int = 1) -> None:
        """Send an informational message at once."""
        self.message(message(number, *values, state=state))
        self._flush()

    def rows(self, columns: Sequence[tuple[str, ColumnType]], rows: Iterable[Sequence[object]]) -> int:
        """Send a result set; returns its number of rows."""
        described = [Column(name, kind) for name, kind in columns]
        self.token(col_metadata(described, self._version))
        remaining, count = iter(rows), 0
        while some := list(islice(remaining, _ROWS_AT_A_TIME)):
            self._buffer += b"".join(row(described, list(values)) for values in some)
            count += len(some)
            self._flush()
        self._held = (DoneStatus.COUNT, _SELECT, count)
        return count

    def done(self, row_count: int | None = None) -> None:
        """A statement is over; `row_count` is the number of rows it changed, None where that is not to be told."""
        if self._held:
            self.more()
        status = DoneStatus.FINAL if row_count is None else DoneStatus.COUNT
        self._held = (status, 0, row_count or 0)

    def more(self) -> None:
        """Send the DONE of what has been, saying that more follows."""
        self._done(DoneStatus.MORE)
        self._flush()

    def changed_database(self, new: str, old: str) -> None:
        self.token(env_change(EnvChangeType.DATABASE, new, old))
        self.message(message(5701, new, state=2))

    def check(self) -> None:
        """Raise Interrupted if the statement must stop."""
        self._transport.look_up()

    def finish(self, status: DoneStatus = DoneStatus.FINAL, tokens: bytes = b"") -> None:
        """Send what is left, then `tokens`, then the end."""
        if tokens:
            self.token(tokens)
        if self._held and (status is not DoneStatus.FINAL or self.in_procedure):
            self.more()
        self._done(status, _DONE_PROCEDURE)
        self._flush(last=True)

    def token(self, token: bytes) -> None:
        """Send a token that is already encoded."""
        if self._held:
            self.more()
        self._buffer += token

    def _done(self, status: DoneStatus, name: int = _DONE_IN_PROCEDURE) -> None:
        held, command, count = self._held or (DoneStatus.FINAL, 0, 0)
        self._held = None
        token = done(status=held | status, current_command=command, row_count=count, tds_version=self._version)
        self._buffer += bytes([name]) + token[1:] if self.in_procedure else token

    def _flush(self, last: bool = False) -> None:
        """Send all there is; only the last packet of a message may end it."""
        while self._buffer:
            self._packets += 1
            payload = bytes(self._buffer[:_BODY])
            del self._buffer[:_BODY]
            self._transport.send_packet(payload, self._packets % 256, last and not self._buffer)


def encoded(message: Message, server: str, tds_version: int) -> bytes:
    """A message as an INFO or ERROR token."""
    encode = info_token if message.severity <= _INFORMATION else error_token
    token: bytes = encode(
        message.number,
        message.text,
        severity=message.severity,
        state=message.state,
        server=server,
        tds_version=tds_version,
    )
    return token
