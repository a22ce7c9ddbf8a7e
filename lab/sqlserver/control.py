"""The knobs: how long BACKUP and RESTORE take at least, and whether the server dies in their midst.

`control.json` in the server's state folder, read anew by every statement: {"backup_seconds": 5, "restore_seconds": 5,
"crash_after_percent": 40}; what is not in it is off.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "control.json"


@dataclass(frozen=True)
class Control:
    """Seconds over which a BACKUP or RESTORE spreads its progress (0: as fast as it goes), and where it ends for good.

    At `crash_after_percent` of its data the server's process kills itself, as a power cut would.
    """

    backup_seconds: float = 0.0
    restore_seconds: float = 0.0
    crash_after_percent: int | None = None

    @classmethod
    def read(cls, state: Path) -> Control:
        """The knob's position in the server state folder `state`; where no file is, nothing is slowed."""
        try:
            return cls(**json.loads((state / FILE_NAME).read_text()))
        except FileNotFoundError:
            return cls()

    def write(self, state: Path) -> None:
        """Set the knob; a statement sees the old position or the new, never half of one."""
        path = state / FILE_NAME
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(path)
