"""The types of result columns on the wire: from a column's declared type, or from its values where there is none.

pysqlbridge brings integers, floats, text, bits, GUIDs, datetime and binary; the others are written here after [MS-TDS]
2.2.5.4 and 2.2.5.5.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from pysqlbridge.tds.result import Bit, ColumnType, DateTime, Float, Integer, NVarChar, UniqueIdentifier, VarBinary

from lab.sqlserver.translation.dates import parse_moment

_DAY_ONE = date(1, 1, 1)
_MAX = b"\xff\xff"
_PLP_NULL = b"\xff" * 8


@dataclass(frozen=True)
class Numeric(ColumnType):  # type: ignore[misc]  # pysqlbridge has no types
    """NUMERICN: a sign and a 16-byte integer, `scale` digits of it behind the point."""

    precision: int = 38
    scale: int = 0

    def type_info(self) -> bytes:
        return bytes([0x6C, 17, self.precision, self.scale])

    def encode(self, value: object) -> bytes:
        if value is None:
            return b"\x00"
        digits = int((Decimal(str(value)) * 10**self.scale).to_integral_value())
        return bytes([17, int(digits >= 0)]) + abs(digits).to_bytes(16, "little")


@dataclass(frozen=True)
class Money(ColumnType):  # type: ignore[misc]  # pysqlbridge has no types
    """MONEYN of eight bytes: ten-thousandths, the high half first."""

    def type_info(self) -> bytes:
        return bytes([0x6E, 8])

    def encode(self, value: object) -> bytes:
        if value is None:
            return b"\x00"
        raw = int((Decimal(str(value)) * 10_000).to_integral_value())
        return b"\x08" + struct.pack("<iI", raw >> 32, raw & 0xFFFFFFFF)


@dataclass(frozen=True)
class Date(ColumnType):  # type: ignore[misc]  # pysqlbridge has no types
    """DATEN: days since 0001-01-01."""

    def type_info(self) -> bytes:
        return b"\x28"

    def encode(self, value: object) -> bytes:
        return b"\x00" if value is None else b"\x03" + _days(parse_moment(str(value)))


@dataclass(frozen=True)
class Time(ColumnType):  # type: ignore[misc]  # pysqlbridge has no types
    """TIMEN of scale 7: units of 100 ns since midnight."""

    def type_info(self) -> bytes:
        return b"\x29\x07"

    def encode(self, value: object) -> bytes:
        return b"\x00" if value is None else b"\x05" + _ticks(parse_moment(str(value)))


@dataclass(frozen=True)
class DateTime2(ColumnType):  # type: ignore[misc]  # pysqlbridge has no types
    """DATETIME2N of scale 7: the time, then the date."""

    def type_info(self) -> bytes:
        return b"\x2a\x07"

    def encode(self, value: object) -> bytes:
        if value is None:
            return b"\x00"
        moment = parse_moment(str(value))
        return b"\x08" + _ticks(moment) + _days(moment)


@dataclass(frozen=True)
class StoredDateTime(DateTime):  # type: ignore[misc]  # pysqlbridge has no types
    """DATETIMN of a value kept as text."""

    def encode(self, value: object) -> bytes:
        return super().encode(None if value is None else parse_moment(str(value)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class VarBinaryMax(ColumnType):  # type: ignore[misc]  # pysqlbridge has no types
    """BIGVARBINARY in its MAX form: one chunk of any length."""

    def type_info(self) -> bytes:
        return b"\xa5" + _MAX

    def encode(self, value: object) -> bytes:
        if value is None:
            return _PLP_NULL
        raw = value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
        chunk = struct.pack("<I", len(raw)) + raw if raw else b""
        return struct.pack("<Q", len(raw)) + chunk + struct.pack("<I", 0)


@dataclass(frozen=True)
class NVarCharMax(NVarChar):  # type: ignore[misc]  # pysqlbridge has no types
    """NVARCHAR(MAX); pysqlbridge leaves out the terminator of an empty value, which FreeTDS waits for."""

    max_chars: int | None = None

    def encode(self, value: object) -> bytes:
        return struct.pack("<QI", 0, 0) if value == "" else super().encode(value)


_PLAIN: dict[str, ColumnType] = {
    "TINYINT": Integer(1), "SMALLINT": Integer(2), "INT": Integer(4), "INTEGER": Integer(8), "BIGINT": Integer(8),
    "BIT": Bit(), "FLOAT": Float(8), "REAL": Float(4), "MONEY": Money(), "SMALLMONEY": Money(),
    "DATE": Date(), "TIME": Time(), "DATETIME2": DateTime2(), "DATETIME": StoredDateTime(),
    "SMALLDATETIME": StoredDateTime(), "UNIQUEIDENTIFIER": UniqueIdentifier(),
}  # fmt: skip
TEXT_KINDS = frozenset({"CHAR", "VARCHAR", "NCHAR", "NVARCHAR", "SYSNAME", "TEXT", "NTEXT", "XML"})
_SIZED = re.compile(r"(\w+)(?:\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?\))?")
_NVARCHAR_LIMIT = 4000
_DEFAULT_LENGTHS = {"SYSNAME": 128, "TEXT": None, "NTEXT": None, "XML": None}


def base_kind(declared: str) -> str:
    """The type's name without its size: DECIMAL of `DECIMAL(10,2)`."""
    return declared.partition("(")[0].strip().upper()


def declared_type(declared: str) -> ColumnType | None:
    """The wire type of a declared T-SQL type such as `NVARCHAR(160)`; None for one that is not known."""
    match = _SIZED.fullmatch(declared.strip().upper())
    if match is None:
        return None
    kind, size, scale = match.groups()
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in ("DECIMAL", "NUMERIC"):
        return Numeric(int(size or 18), int(scale or 0))
    if kind in TEXT_KINDS:
        length = _DEFAULT_LENGTHS.get(kind, 1) if size is None else int(size) if size.isdecimal() else None
        return NVarChar(length) if length and length <= _NVARCHAR_LIMIT else NVarCharMax()
    if kind in ("BINARY", "VARBINARY", "IMAGE"):
        return VarBinary(int(size)) if size and size.isdecimal() else VarBinaryMax()
    return None


def type_of_values(values: Sequence[object]) -> ColumnType:
    """The wire type for an expression's values, NULLs aside: the widest that holds them all."""
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, int) for value in present):
        return Integer(4) if all(-(2**31) <= value < 2**31 for value in present) else Integer(8)  # type: ignore[operator]
    if present and all(isinstance(value, int | float) for value in present):
        return Float(8)
    if present and all(isinstance(value, bytes) for value in present):
        return VarBinaryMax()
    return NVarCharMax()


def _days(moment: datetime) -> bytes:
    return (moment.date() - _DAY_ONE).days.to_bytes(3, "little")


def _ticks(moment: datetime) -> bytes:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    return (seconds * 10_000_000 + moment.microsecond * 10).to_bytes(5, "little")
