"""`python -m lab faults`: list, add and clear the faults of all three servers."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from lab.fault_control import FaultControl
from lab.settings import LabSettings
from lab.sqlserver.control import Control

SERVERS = ("cloud", "storage")
SLOW_STATEMENTS = {"sql:Backup": "backup_seconds", "sql:Restore": "restore_seconds"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lab faults`."""
    actions = parser.add_subparsers(dest="what", required=True, metavar="list|add|clear")
    actions.add_parser("list", help="show the rules, and where they have struck")
    actions.add_parser("clear", help="forget all rules, and let SQL Server be quick again")
    add = actions.add_parser("add", help="add a rule")
    add.add_argument("action", help="ec2:CreateSnapshot, ssm:*, s3:Put*, ...; sql:Backup or sql:Restore with --delay")
    add.add_argument("--match", help="strike only calls in which this text is found")
    add.add_argument("--times", type=_times, help="how often it strikes, or `always` (once unless given)")
    add.add_argument("--code", help="answer this error: RequestLimitExceeded, SlowDown, AccessDenied, ...")
    add.add_argument("--message", help="the error's message")
    add.add_argument("--status", type=int, help="the error's HTTP status")
    add.add_argument("--drop", action="store_true", default=None, help="close the connection without an answer")
    add.add_argument("--after", action="store_true", default=None, help="carry the call out first: the answer is lost")
    add.add_argument("--delay", type=float, metavar="SECONDS", help="wait first; for sql: spread the work over it")
    add.add_argument("--lag", type=float, metavar="SECONDS", help="EC2 look-ups do not see what is newer than that")
    add.add_argument("--bytes-per-second", type=float, metavar="N", help="S3 bodies trickle at this speed")


def run(settings: LabSettings, options: argparse.Namespace) -> None:
    """Carry out one of the three.

    Raises:
        RuntimeError: a rule was refused; the message says why.
        OSError: a server does not answer.
    """
    if options.what == "list":
        _list(settings)
    elif options.what == "clear":
        for server in SERVERS:
            FaultControl.of(settings, server).clear()
        Control().write(settings.state / "sqlserver")
    else:
        _add(settings, options)


def _list(settings: LabSettings) -> None:
    for server in SERVERS:
        control = FaultControl.of(settings, server)
        for rule in control.rules():
            print(f"{server:<10}{_sentence(rule)}")
        for hit in control.hits():
            print(f"{server:<10}struck {hit['call']}: {hit['outcome']}")
    for name, seconds in asdict(Control.read(settings.state / "sqlserver")).items():
        if seconds:
            print(f"{'sqlserver':<10}{name} {seconds:g}")


def _add(settings: LabSettings, options: argparse.Namespace) -> None:
    fields = ("match", "times", "code", "message", "status", "drop", "after", "delay", "lag", "bytes_per_second")
    rule = {name: getattr(options, name) for name in fields if getattr(options, name) is not None}
    if rule.get("times") == "always":
        rule["times"] = None
    if options.action.startswith("sql:"):
        _slow_sql_server(settings, options.action, rule)
        return
    try:
        FaultControl.of(settings, "storage" if options.action.startswith("s3:") else "cloud").add(
            options.action, **rule
        )
    except ValueError as error:
        raise RuntimeError(str(error)) from error


def _slow_sql_server(settings: LabSettings, action: str, rule: dict[str, Any]) -> None:
    if action not in SLOW_STATEMENTS or rule.keys() != {"delay"}:
        raise RuntimeError(f"No rule was added: of SQL Server it knows {' and '.join(SLOW_STATEMENTS)} with --delay.")
    folder = settings.state / "sqlserver"
    positions = asdict(Control.read(folder)) | {SLOW_STATEMENTS[action]: rule["delay"]}
    Control(**positions).write(folder)


def _sentence(rule: dict[str, Any]) -> str:
    times = "always" if rule["times"] is None else f"{rule['times']} more times"
    said = {name: value for name, value in rule.items() if value and name not in ("action", "times", "message")}
    return f"{rule['action']}, {times}: " + ", ".join(f"{name} {value}" for name, value in said.items())


def _times(text: str) -> int | str:
    return text if text == "always" else int(text)
