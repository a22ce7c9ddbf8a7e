"""Scripts of include/scripts/ as Systems Manager gets them: one text, with the parameters and the library in front.

Parameters travel in variables of their own, as base64 text unless all is plain, so that no value is ever read as code.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path

from include.rules.register.tenants import Platform
from perennial.settings import PROJECT

SCRIPTS = PROJECT / "include" / "scripts"
DOCUMENTS = {Platform.LINUX: "AWS-RunShellScript", Platform.WINDOWS: "AWS-RunPowerShellScript"}
"""The SSM document that runs a script, by platform.

Source: docs.aws.amazon.com, "Systems Manager Command document plugin reference" (aws:runShellScript,
aws:runPowerShellScript).
"""

OFFLINE_MARKER = "app_offline.htm"
"""ASP.NET Core Module and ASP.NET shut an application down while this file is in its root, and answer with its text
(learn.microsoft.com, "App offline file (app_offline.htm)")."""

_SUFFIXES = {Platform.LINUX: ".sh", Platform.WINDOWS: ".ps1"}
_PLAIN = re.compile(r"[A-Za-z0-9 ._/:@-]*")
"""What means itself between quotes, for any shell and for Systems Manager, which replaces what stands in {{ }}."""

_COMMENT = re.compile(r"\s*#")
_NEEDS = re.compile(r"^# needs: (\S+)$", re.MULTILINE)


def script_file(platform: Platform, script: str) -> Path:
    """The file of a script, for instance copy_tree.ps1 for `copy_tree` on Windows."""
    return SCRIPTS / f"{script}{_SUFFIXES[platform]}"


def script_text(platform: Platform, script: str) -> str:
    """The files that the script's `# needs:` lines name, then the script itself.

    Raises:
        FileNotFoundError: there is no such script for this platform.
    """
    text = script_file(platform, script).read_text(encoding="utf-8")
    return "".join([*((SCRIPTS / needed).read_text(encoding="utf-8") for needed in _NEEDS.findall(text)), text])


def script_lines(platform: Platform, script: str, parameters: Mapping[str, str]) -> list[str]:
    """The lines to run: parameters, then the script with its library. Lines that are comments stay at home, because a
    command of Systems Manager holds 64 KiB.

    Args:
        script: Name below include/scripts/, without suffix.
        parameters: Variables that the script finds; on Windows as the members of `$Asked`.

    Raises:
        FileNotFoundError: there is no such script for this platform.
    """
    variable = _shell_variable if platform is Platform.LINUX else _powershell_variable
    lines = ["$Asked = @{}"] if platform is Platform.WINDOWS else []
    lines += [variable(key, value) for key, value in parameters.items()]
    return [*lines, *(line for line in script_text(platform, script).splitlines() if not _COMMENT.match(line))]


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _shell_variable(key: str, value: str) -> str:
    if _PLAIN.fullmatch(value):  # decoding takes a process for each value, and a script has up to ten
        return f"{key}='{value}'"
    # The dot keeps a value's own trailing newlines from being cut off by the substitution.
    # Not exported: Linux starts no program with a variable of more than 128 KiB (execve(2), MAX_ARG_STRLEN).
    return f'{key}="$(printf %s {_encoded(value)} | base64 -d; printf .)"; {key}="${{{key}%.}}"'


def _powershell_variable(key: str, value: str) -> str:
    # Not in the environment, of which Windows takes 32,767 characters.
    return f"$Asked.{key} = [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String('{_encoded(value)}'))"
