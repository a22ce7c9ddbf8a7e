"""Why a login was refused, asked in a process of its own.

pymssql 2.4 keeps the severest message of all logins of a process, and never forgets it: a later refusal of the same
severity comes without its number and text. In a triggerer, which lives for weeks, that is every refusal but the first.
A new process has heard nothing yet.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pymssql

WITHIN = 60
"""Seconds for the question; the login has a time-out of its own."""


def why_refused(arguments: Mapping[str, Any]) -> Exception | None:
    """Sign in once more; the exception that pymssql raises, with the number and the text that belong to it.

    Args:
        arguments: Of pymssql.connect.

    Returns:
        None when the login succeeds now, or nobody can say.
    """
    command = [sys.executable, "-P", __file__]
    try:
        answer = subprocess.run(
            command, input=json.dumps(dict(arguments)), capture_output=True, text=True, timeout=WITHIN, check=True
        )
        said = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return pymssql.OperationalError(*said) if said else None


def _ask() -> list[Any]:
    try:
        pymssql.connect(**json.load(sys.stdin)).close()
    except pymssql.Error as error:
        details = error.args[0] if isinstance(error.args[0], tuple) else error.args
        return [part.decode(errors="replace") if isinstance(part, bytes) else part for part in details]
    return []


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_ask()))
