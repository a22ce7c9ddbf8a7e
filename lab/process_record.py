"""The record of a process: which one it was, so that a later command finds it again and never a stranger."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessRecord:
    """The id alone may belong to another process by now. It leads the group of the same id."""

    pid: int
    create_time: float  # seconds since the epoch, as psutil gives it

    @classmethod
    def read(cls, file: Path) -> ProcessRecord:
        """The record in `file`.

        Raises:
            FileNotFoundError: there is none.
            ValueError: what is there is no record.
        """
        record = json.loads(file.read_text())
        if not isinstance(record, dict) or record.keys() != {"pid", "create_time"}:
            raise ValueError("no record of a process")
        if not (isinstance(record["pid"], int) and record["pid"] > 0 and isinstance(record["create_time"], float)):
            raise ValueError("no process id or start time")
        return cls(**record)

    def write(self, file: Path) -> None:
        """Write it whole or not at all: who writes may be killed in the midst."""
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(file)
