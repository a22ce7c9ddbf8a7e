"""Remote procedure calls: how clients send statements with parameters.

[MS-TDS] 2.2.6.6 (the request) and 2.2.5.5 (values). pysqlbridge reads calls too, but neither dates, money nor decimals.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from pysqlbridge.tds.packet import ALL_HEADERS_ADDED_IN, TdsProtocolError

from lab.sqlserver.translation.dates import stored

Value = int | float | str | bytes | None

_BY_NUMBER = {10: "sp_executesql", 11: "sp_prepare", 12: "sp_execute", 13: "sp_prepexec", 15: "sp_unprepare"}
_NUMBERED = 0xFFFF
_CHUNKED, _CHUNKED_NULL, _NULL = 0xFFFF, 2**64 - 1, 0xFFFF
_FIXED = {0x30: 1, 0x32: 1, 0x34: 2, 0x38: 4, 0x7F: 8, 0x3B: 4, 0x3E: 8, 0x3C: 8, 0x7A: 4, 0x3D: 8, 0x3A: 4}
_FLOATS, _MONEY, _DATETIMES = (0x3B, 0x3E, 0x6D), (0x3C, 0x7A, 0x6E), (0x3D, 0x3A, 0x6F)
_LENGTH_BYTE = (0x24, 0x26, 0x68, 0x6D, 0x6E, 0x6F)
_DECIMALS, _SCALED, _DATE = (0x6A, 0x6C), (0x29, 0x2A, 0x2B), 0x28
_TEXT, _WIDE_TEXT, _BINARY = (0xA7, 0xAF), (0xE7, 0xEF), (0xA5, 0xAD)
_ORDINAL_OF_1900 = date(1900, 1, 1).toordinal()


@dataclass(frozen=True)
class Call:
    """A procedure and its arguments, each with its name (empty if given by position)."""

    procedure: str
    arguments: list[tuple[str, Value]]


def parse_call(payload: bytes, tds_version: int) -> Call:
    """Read a request. Raises TdsProtocolError where it is malformed."""
    reader = _Bytes(payload)
    try:
        if tds_version >= ALL_HEADERS_ADDED_IN:
            reader.take(reader.number(4) - 4)
        length = reader.number(2)
        if length == _NUMBERED:
            number = reader.number(2)
            procedure = _BY_NUMBER.get(number, f"the numbered procedure {number}")
        else:
            procedure = reader.take(2 * length).decode("utf-16-le")
        reader.number(2)  # flags
        arguments = []
        while not reader.at_end:
            name = reader.take(2 * reader.number(1)).decode("utf-16-le")
            reader.number(1)  # status: an output parameter or not
            arguments.append((name, reader.value()))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise TdsProtocolError(f"a malformed procedure call: {error}") from None
    return Call(procedure.lower().rpartition(".")[2], arguments)


class _Bytes:
    """A place in a request."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._data)

    def take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise IndexError(f"{size} bytes wanted at {self._at} of {len(self._data)}")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def value(self) -> Value:
        """A type and a value of it, in the form in which the stand-in keeps such values."""
        kind = self.number(1)
        if kind in _FIXED:
            return _plain(kind, self.take(_FIXED[kind]))
        if kind in _LENGTH_BYTE:
            self.number(1)
            return _plain(kind, self.take(self.number(1)))
        if kind in _DECIMALS:
            self.take(2)
            return _decimal(self.take(1)[0], self.take(self.number(1)))
        if kind in _SCALED:
            scale = self.number(1)
            return _scaled(kind, scale, self.take(self.number(1)))
        if kind == _DATE:
            raw = self.take(self.number(1))
            return stored(_day(raw), "DATE") if raw else None
        if kind in _TEXT + _WIDE_TEXT + _BINARY:
            return self._sized(kind)
        raise TdsProtocolError(f"a parameter of the type 0x{kind:02x}, which the stand-in does not know")

    def _sized(self, kind: int) -> str | bytes | None:
        chunked = self.number(2) == _CHUNKED
        if kind not in _BINARY:
            self.take(5)  # the collation
        raw = self._chunks() if chunked else self._run()
        if raw is None or kind in _BINARY:
            return raw
        return raw.decode("utf-16-le" if kind in _WIDE_TEXT else "cp1252")

    def _run(self) -> bytes | None:
        length = self.number(2)
        return None if length == _NULL else self.take(length)

    def _chunks(self) -> bytes | None:
        if self.number(8) == _CHUNKED_NULL:
            return None
        data = bytearray()
        while size := self.number(4):
            data += self.take(size)
        return bytes(data)


def _plain(kind: int, raw: bytes) -> Value:
    """Whole numbers, floats, money, bits, GUIDs and the old dates; no bytes are NULL."""
    if not raw:
        return None
    if kind in _FLOATS:
        return float(struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0])
    if kind in _MONEY:
        ordered = raw if len(raw) == 4 else raw[4:] + raw[:4]
        return _number(Decimal(int.from_bytes(ordered, "little", signed=True)).scaleb(-4))
    if kind in _DATETIMES:
        return _old_date(raw)
    if kind == 0x24:
        return str(uuid.UUID(bytes_le=raw)).upper()
    return int.from_bytes(raw, "little", signed=len(raw) > 1)  # TINYINT alone has no sign


def _old_date(raw: bytes) -> str:
    """DATETIME counts 300ths of a second, SMALLDATETIME minutes."""
    if len(raw) == 4:
        days, minutes = struct.unpack("<HH", raw)
        passed = timedelta(minutes=minutes)
    else:
        days, ticks = struct.unpack("<iI", raw)
        passed = timedelta(milliseconds=round(ticks * 10 / 3))
    return stored(_moment(_ORDINAL_OF_1900 + days) + passed, "DATETIME2")


def _decimal(scale: int, raw: bytes) -> Value:
    if not raw:
        return None
    digits = int.from_bytes(raw[1:], "little")
    return _number(Decimal(digits if raw[0] else -digits).scaleb(-scale))


def _scaled(kind: int, scale: int, raw: bytes) -> str | None:
    """TIME, DATETIME2 and DATETIMEOFFSET; the last loses its offset, for the lab's clock is UTC."""
    if not raw:
        return None
    clock = len(raw) - {0x29: 0, 0x2A: 3, 0x2B: 5}[kind]
    passed = timedelta(microseconds=int.from_bytes(raw[:clock], "little") * 10**6 // 10**scale)
    if kind == 0x29:
        return stored(_moment(_ORDINAL_OF_1900) + passed, "TIME")
    return stored(_day(raw[clock : clock + 3]) + passed, "DATETIME2")


def _day(raw: bytes) -> datetime:
    return _moment(int.from_bytes(raw, "little") + 1)


def _moment(ordinal: int) -> datetime:
    return datetime.combine(date.fromordinal(ordinal), time())


def _number(value: Decimal) -> int | float:
    """What SQLite makes of a decimal number."""
    return int(value) if value == value.to_integral_value() else float(value)
