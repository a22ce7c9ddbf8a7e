"""`python -m lab`: start, stop, look at, fill and disturb a lab.

The lab stands in for AWS (EC2, SSM, S3) and SQL Server on this machine. Its state folder is PERENNIAL_LAB_STATE
(`.lab` unless set) and its ports begin at PERENNIAL_LAB_PORT_BASE (15600 unless set).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from lab.faults import command as faults_command
from lab.faults.measures import LabMeasures
from lab.load_sql import load_script
from lab.neighbours import check_ports_are_not_anothers
from lab.processes import ProcessError
from lab.seed.fleet import seed_fleet
from lab.seed.register import registered
from lab.seed.shop import connect_arguments
from lab.seed.tenants import seed
from lab.servers import ServerStatus, server_statuses, start_servers, stop_servers
from lab.settings import LabSettings
from lab.shell import host_shell, sql_shell
from lab.sql_client import connect, sql_calls
from lab.wreck import wreck

INTERRUPTED = 130  # 128 and the signal's number, as a shell has it
STATUS = "`python -m lab status` shows the servers that run, `python -m lab down` stops them."


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.name == "shell" and options.where != "sql" and options.database:
        parser.error("shell: DATABASE goes with `sql` only")
    try:
        settings = LabSettings.from_environment()
        if options.name != "down":  # which goes by the records of its own state folder
            check_ports_are_not_anothers(settings)
        return int(options.command(settings, options) or 0)
    except (ProcessError, OSError, RuntimeError, LookupError) as error:
        print(f"lab {options.name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nlab {options.name}: interrupted. {STATUS}", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(title="commands", dest="name", required=True, metavar="COMMAND")
    parsers = {}
    for name, command, text in (
        ("up", _up, "start the servers in the background and wait until they answer"),
        ("down", _down, "stop the servers; what they hold stays for the next start"),
        ("status", _status, "say which servers run, and where; exit code 1 unless all of them answer"),
        ("seed", _seed, "make three tenants with web files and databases; tenants that are there are left alone"),
        ("seed-fleet", _seed_fleet, "make many tenants, each with a tiny database and web folder, on shared volumes"),
        ("load-sql", _load_sql, "run a T-SQL script with GO batches in a tenant's database"),
        ("wreck", _wreck, "damage a tenant: delete files, overwrite one, drop a table"),
        ("faults", faults_command.run, "make calls fail, get lost or take long, as on a bad day"),
        ("limits", _limits, "set the cloud's limits: `aws` for AWS's own, `lab` for gentle ones; or show them"),
        (
            "calls",
            _calls,
            "show how often each action was called: in AWS since the last --reset, in SQL Server since its start",
        ),
        ("shell", _shell, "open a shell on a host, or run SQL batches from standard input"),
    ):
        parsers[name] = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        parsers[name].set_defaults(command=command)
    parsers["seed-fleet"].add_argument("tenants", metavar="TENANTS", type=_number, help="how many: t0001, t0002, ...")
    parsers["seed-fleet"].add_argument(
        "--per-volume", metavar="N", type=_number, default=20, help="how many share a volume (20)"
    )
    for name in ("load-sql", "wreck"):
        parsers[name].add_argument("tenant", metavar="TENANT", help="a tenant's id, such as acme")
    parsers["load-sql"].add_argument("file", metavar="FILE", type=Path, help="the script")
    parsers["limits"].add_argument("set", metavar="aws|lab", nargs="?", choices=("aws", "lab"), help="which")
    parsers["calls"].add_argument("--reset", action="store_true", help="begin to count anew")
    parsers["shell"].add_argument("where", metavar="HOST|sql", help="an instance's id, or `sql` for SQL Server")
    parsers["shell"].add_argument("database", metavar="DATABASE", nargs="?", help="with `sql` only (master)")
    faults_command.add_arguments(parsers["faults"])
    return parser


def _up(settings: LabSettings, _options: argparse.Namespace) -> None:
    start_servers(settings)
    _print(server_statuses(settings))


def _down(settings: LabSettings, _options: argparse.Namespace) -> None:
    stopped = stop_servers(settings)
    print(f"Stopped: {', '.join(stopped)}." if stopped else f"Nothing was running in {settings.state}.")


def _status(settings: LabSettings, _options: argparse.Namespace) -> int:
    statuses = server_statuses(settings)
    _print(statuses)
    return 0 if all(status.answers for status in statuses) else 1


def _seed(settings: LabSettings, _options: argparse.Namespace) -> None:
    _check_all_answer(settings)
    seed(settings)


def _seed_fleet(settings: LabSettings, options: argparse.Namespace) -> None:
    _check_all_answer(settings)
    try:
        seed_fleet(settings, options.tenants, options.per_volume)
    except ValueError as error:
        raise LookupError(str(error)) from error


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _check_all_answer(settings: LabSettings) -> None:
    if silent := [status.name for status in server_statuses(settings) if not status.answers]:
        raise LookupError(
            f"{', '.join(silent)} does not answer, so nothing was seeded. Start the lab: `python -m lab up`."
        )


def _load_sql(settings: LabSettings, options: argparse.Namespace) -> None:
    database = _registered(settings, options.tenant)["database"]["name"]
    connect(settings, database).close()  # which says in plain words when it cannot be had
    loaded = load_script(options.file, database, connect_arguments(settings))
    print(
        f"{loaded.batches} batches run; {loaded.database} now holds {loaded.tables} tables with {loaded.rows:,} rows."
    )


def _wreck(settings: LabSettings, options: argparse.Namespace) -> None:
    for deed in wreck(settings, _registered(settings, options.tenant)):
        print(f"{options.tenant}: {deed}")


def _limits(settings: LabSettings, options: argparse.Namespace) -> None:
    measures = LabMeasures(settings)
    if options.set:
        measures.set_limits(options.set)
    for name, value in measures.limits().items():
        print(f"{name:<27}{value}")


def _calls(settings: LabSettings, options: argparse.Namespace) -> None:
    measures = LabMeasures(settings)
    throttled = measures.throttled()
    for action, number in (measures.take_calls() if options.reset else measures.calls()).items():
        print(f"{number:8,}  {action}" + (f"  ({throttled[action]:,} throttled)" if action in throttled else ""))
    for action, number in sql_calls(settings).items():
        print(f"{number:8,}  {action}")


def _shell(settings: LabSettings, options: argparse.Namespace) -> int:
    if options.where == "sql":
        return sql_shell(settings, options.database or "master")
    return host_shell(settings, options.where)


def _registered(settings: LabSettings, tenant: str) -> dict[str, Any]:
    tenants = registered(settings)
    if tenant not in tenants:
        known = ", ".join(tenants) or "none: run `python -m lab seed` first"
        raise LookupError(f"There is no tenant {tenant!r} in this lab, so nothing was done. It has {known}.")
    return tenants[tenant]


def _print(statuses: list[ServerStatus]) -> None:
    print(f"{'server':<12}{'process':<12}{'answers':<10}address")
    for status in statuses:
        process = str(status.pid) if status.pid else "-"
        print(f"{status.name:<12}{process:<12}{'yes' if status.answers else 'no':<10}{status.address}")


if __name__ == "__main__":
    raise SystemExit(main())
