"""What a client asks for, whatever the message: statements to run, with their parameters, and tokens for the end.

Batches, procedure calls (sp_executesql and the prepared statements of ODBC), transaction manager requests
([MS-TDS] 2.2.6.9), and the reset of a connection that comes out of a client's pool.
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from pysqlbridge.tds.batch import parse_sql_batch, skip_all_headers
from pysqlbridge.tds.packet import Message as Packet
from pysqlbridge.tds.packet import PacketStatus, PacketType
from pysqlbridge.tds.token import EnvChangeType, env_change

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql.tokens import quote_name
from lab.sqlserver.wire.rpc import Value, parse_call

_DECLARED = re.compile(r"(@[\w$#@]+)\s+[^,(]+(?:\([^)]*\))?")
_RESET = PacketStatus.RESET_CONNECTION | PacketStatus.RESET_CONNECTION_SKIP_TRAN
_RESET_ACKNOWLEDGED = b"\xe3\x03\x00\x12\x00\x00"  # the environment change 18, without values
_BEGIN, _COMMIT, _ROLLBACK = 5, 7, 8  # requests to the transaction manager
_RETURN_STATUS = b"\x79" + bytes(4)


@dataclass(frozen=True)
class Request:
    """`text` is a batch, `variables` its parameters by name in small letters, `tokens` what the answer ends with."""

    text: str
    variables: dict[str, Value] = field(default_factory=dict)
    tokens: bytes = b""
    is_call: bool = False


class Requests:
    """The requests of one connection; it knows the statements that its client has prepared."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._prepared: dict[int, tuple[str, str]] = {}  # declaration and statement
        self._calls: dict[str, Callable[[list[tuple[str, Value]]], Request]] = {
            "sp_executesql": self._execute_sql,
            "sp_prepexec": self._prepare_and_execute,
            "sp_prepare": self._prepare,
            "sp_execute": self._execute,
            "sp_unprepare": self._unprepare,
            "sp_reset_connection": lambda _: Request("", tokens=_RETURN_STATUS, is_call=True),
        }

    def read(self, packet: Packet, tds_version: int) -> Request:
        """Raises SqlServerError 2812 for an unknown procedure, 8179 for a statement that is not prepared."""
        if packet.type is PacketType.SQL_BATCH:
            return Request(parse_sql_batch(packet.payload, tds_version))
        if packet.type is PacketType.TRANSACTION_MANAGER:
            return self._transaction(packet.payload[skip_all_headers(packet.payload, tds_version) :])
        if packet.type is not PacketType.RPC:
            raise SqlServerError(UNSUPPORTED, f"{packet.type.name} messages")
        call = parse_call(packet.payload, tds_version)
        if call.procedure not in self._calls:
            raise SqlServerError(2812, call.procedure, state=62)
        return self._calls[call.procedure](call.arguments)

    def _execute_sql(self, arguments: list[tuple[str, Value]]) -> Request:
        (_, text), *rest = arguments
        declaration = str(rest[0][1]) if rest else ""
        return _call(str(text), _named(declaration, rest[1:]))

    def _prepare_and_execute(self, arguments: list[tuple[str, Value]]) -> Request:
        _, (_, declaration), (_, text), *values = arguments
        number = self._keep(str(declaration or ""), str(text))
        return _call(str(text), _named(str(declaration or ""), values), _returned(number))

    def _prepare(self, arguments: list[tuple[str, Value]]) -> Request:
        _, (_, declaration), (_, text), *_options = arguments
        return _call("", {}, _returned(self._keep(str(declaration or ""), str(text))))

    def _execute(self, arguments: list[tuple[str, Value]]) -> Request:
        (_, number), *values = arguments
        if number not in self._prepared:
            raise SqlServerError(8179, number)
        declaration, text = self._prepared[int(str(number))]
        return _call(text, _named(declaration, values))

    def _unprepare(self, arguments: list[tuple[str, Value]]) -> Request:
        if self._prepared.pop(int(str(arguments[0][1])), None) is None:
            raise SqlServerError(8179, arguments[0][1])
        return _call("", {})

    def _keep(self, declaration: str, text: str) -> int:
        number = next(self._numbers)
        self._prepared[number] = declaration, text
        return number

    def _transaction(self, request: bytes) -> Request:
        """BEGIN, COMMIT or ROLLBACK; the last two may begin the next transaction at once."""
        (kind,) = struct.unpack_from("<H", request)
        descriptor = struct.pack("<Q", next(self._numbers))
        begun = env_change(EnvChangeType.BEGIN_TRAN, descriptor, b"")
        if kind == _BEGIN:
            return Request("BEGIN TRANSACTION", tokens=begun)
        if kind not in (_COMMIT, _ROLLBACK):
            raise SqlServerError(UNSUPPORTED, "savepoints and distributed transactions")
        text, change = (
            ("COMMIT", EnvChangeType.COMMIT_TRAN) if kind == _COMMIT else ("ROLLBACK", EnvChangeType.ROLLBACK_TRAN)
        )
        flags = request[3 + request[2] :]
        ended = env_change(change, b"", descriptor)
        if flags and flags[0] & 1:
            return Request(f"{text}; BEGIN TRANSACTION", tokens=ended + begun)
        return Request(text, tokens=ended)


def asks_for_reset(packet: Packet) -> bool:
    """Whether the connection comes out of a pool: what its last user left is to be forgotten first."""
    return bool(packet.status & _RESET)


def reset(database: str) -> Request:
    """The way back to how a session begins, in the database of its login."""
    return Request(f"IF @@TRANCOUNT > 0 ROLLBACK; USE {quote_name(database)}", tokens=_RESET_ACKNOWLEDGED)


def _call(text: str, variables: dict[str, Value], returned: bytes = b"") -> Request:
    return Request(text, variables, _RETURN_STATUS + returned, is_call=True)


def _named(declaration: str, values: list[tuple[str, Value]]) -> dict[str, Value]:
    """Values by name; one given by position has the name that was declared there."""
    declared = _DECLARED.findall(declaration)
    return {(name or declared[at]).lower(): value for at, (name, value) in enumerate(values)}


def _returned(number: int) -> bytes:
    """RETURNVALUE: the first output parameter, an INT."""
    name = b"\x00"
    return b"\xac\x00\x00" + name + b"\x01" + bytes(4) + bytes(2) + b"\x26\x04\x04" + struct.pack("<i", number)
