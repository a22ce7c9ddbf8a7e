"""What a translation was made of, so that the same text need not be translated again: most of a server's work else.

Clients say the same again and again. What becomes of it depends on the tables that it names, as they are at the moment,
and on the values of @@SPID and its like, which become part of the translation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

LONGEST_REMEMBERED = 4_000
"""Characters; longer texts are rows to insert, which nobody says twice."""

Parts = tuple[str, ...]
Result = TypeVar("Result")


class TableLike(Protocol):
    """What a translation needs of a table (see storage.Table)."""

    @property
    def place(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> dict[str, str]: ...
    @property
    def identity(self) -> str | None: ...


@dataclass(frozen=True)
class Known(Generic[Result]):
    """A translation, with the tables it asked for by the parts of their names, in order, and the variables it read."""

    translation: Result
    tables: tuple[tuple[Parts, TableLike], ...]
    variables: tuple[tuple[str, object], ...]

    def fits(self, table: Callable[[Parts], TableLike], variables: Mapping[str, object]) -> bool:
        """Whether it would be the same now; each table is asked for anew, which raises as the translation would."""
        if any(table(parts) != before for parts, before in self.tables):
            return False
        return all(name in variables and _seen(name, variables) == value for name, value in self.variables)


class UsedNames(Mapping[str, object]):
    """Variables that note which of them are looked at, and tables that note which of them are asked for."""

    def __init__(self, table: Callable[[Parts], TableLike], variables: Mapping[str, object]) -> None:
        self._table, self._variables = table, variables
        self.tables: dict[Parts, TableLike] = {}
        self.read: dict[str, object] = {}

    def table(self, parts: Parts) -> TableLike:
        self.tables[parts] = self._table(parts)
        return self.tables[parts]

    def __contains__(self, name: object) -> bool:
        if name not in self._variables:
            return False
        self.read[str(name)] = _seen(str(name), self._variables)
        return True

    def __getitem__(self, name: str) -> object:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def _seen(name: str, variables: Mapping[str, object]) -> object:
    """What of a variable becomes part of a translation: the value of @@NAME; @name is bound, whatever its value."""
    return variables[name] if name.startswith("@@") else None
