"""`python -m lab faults`: list, add and clear the faults of all three servers, and hold snapshots in a state."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from lab.faults.control import LabFaults
from lab.faults.rules import SNAPSHOT_STATES
from lab.settings import LabSettings

FIELDS = (
    "match",
    "times",
    "code",
    "message",
    "status",
    "drop",
    "after",
    "delay",
    "lag",
    "snapshot_state",
    "bytes_per_second",
    "crash_after_percent",
    "number",
    "severity",
    "os_error",
    "percent",
)

EXAMPLES = """\
examples for `python -m lab faults`; each strikes once unless --times says otherwise:
  an error            add ec2:CreateSnapshot --code RequestLimitExceeded --times 3
  an error for one    add s3:PutObject --match acme --code AccessDenied --status 403 --message "as ordered"
  a dropped call      add ssm:SendCommand --drop
  a lost answer       add ec2:CreateSnapshot --after
  a slow call         add s3:PutObject --delay 5 --times always
  a stale look-up     add ec2:DescribeSnapshots --lag 60 --times always
  a failed snapshot   add ec2:CreateSnapshot --snapshot-state error
  a stuck snapshot    add ec2:CreateSnapshot --snapshot-state pending
  a slow vault        add s3:GetObject --bytes-per-second 100000 --times always
  a slow BACKUP       add sql:Backup --delay 30        (each one, until `clear`)
  a slow RESTORE      add sql:Restore --delay 30       (each one, until `clear`)
  a failed snapshot   snapshot snap-0123456789abcdef0 error   (one that was made already)
  a network blip      add sql:VerifyOnly --number 3203 --os-error 64 --percent 50
  a lack of memory    add sql:CheckDatabase --number 8902 --severity 17 --message "Memory allocation error."
  a refused login     add sql:Login --number 18456 --times 2
  a hung up login     add sql:Login --drop --after
  SQL Server crashes  add 'sql:*' --crash-after-percent 40
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `lab faults`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    actions = parser.add_subparsers(dest="what", required=True, metavar="list|add|clear|snapshot")
    actions.add_parser("list", help="show the rules, and where they have struck")
    actions.add_parser("clear", help="forget all rules, and let SQL Server be quick again")
    _add_rule_arguments(
        actions.add_parser(
            "add", help="add a rule", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
    )
    text = "hold a snapshot that was made already in a state; `completed` lets it go"
    snapshot = actions.add_parser("snapshot", help=text, description=text[0].upper() + text[1:] + ".")
    snapshot.add_argument("snapshot", metavar="SNAPSHOT", help="its id, snap-...")
    snapshot.add_argument("state", choices=("pending", "completed", "error"), help="the state")


def _add_rule_arguments(add: argparse.ArgumentParser) -> None:
    add.add_argument("action", help="ec2:CreateSnapshot, ssm:*, s3:Put*, ...; sql:Backup, sql:Login, sql:*, ...")
    add.add_argument("--match", metavar="TEXT", help="strike only calls in which this text is found")
    add.add_argument("--times", type=_times, metavar="N|always", help="how often it strikes (once unless given)")
    add.add_argument("--code", help="answer this error: RequestLimitExceeded, SlowDown, AccessDenied, ...")
    add.add_argument("--message", metavar="TEXT", help="the error's message")
    add.add_argument("--status", type=int, help="the error's HTTP status, 400 to 599")
    add.add_argument("--drop", action="store_true", default=None, help="close the connection without an answer")
    add.add_argument("--after", action="store_true", default=None, help="carry the call out first: the answer is lost")
    add.add_argument("--delay", type=float, metavar="SECONDS", help="wait first; for sql: spread the work over it")
    add.add_argument("--lag", type=float, metavar="SECONDS", help="EC2 look-ups do not see what is newer than that")
    add.add_argument("--snapshot-state", choices=SNAPSHOT_STATES, help="what becomes of the snapshot that is made")
    add.add_argument("--bytes-per-second", type=float, metavar="N", help="S3 bodies trickle at this speed")
    add.add_argument("--crash-after-percent", type=int, metavar="N", help="SQL Server dies there in its next work")
    add.add_argument("--number", type=int, metavar="N", help="SQL Server answers this error; --message is its text")
    add.add_argument("--severity", type=int, metavar="N", help="its severity, if not that of sys.messages")
    add.add_argument("--os-error", type=int, metavar="N", help="the operating system's number in its brackets")
    add.add_argument("--percent", type=int, metavar="N", help="so much of the data has gone through before")


def run(settings: LabSettings, options: argparse.Namespace) -> None:
    """Carry out one of the four.

    Raises:
        RuntimeError: a rule was refused; the message says why.
        OSError: a server does not answer.
    """
    faults = LabFaults(settings)
    try:
        if options.what == "list":
            _list(faults)
        elif options.what == "clear":
            faults.clear()
        elif options.what == "snapshot":
            faults.hold_snapshot(options.snapshot, options.state)
        else:
            rule = {name: getattr(options, name) for name in FIELDS if getattr(options, name) is not None}
            faults.add(options.action, **rule | ({"times": None} if rule.get("times") == "always" else {}))
    except ValueError as error:
        raise RuntimeError(str(error)) from error


def _list(faults: LabFaults) -> None:
    lines = []
    for name, server in (("cloud", faults.cloud), ("storage", faults.storage), ("sqlserver", faults.sql)):
        lines += [f"{name:<10}{_sentence(rule)}" for rule in server.rules()]
        lines += [f"{name:<10}struck {hit['call']}: {hit['outcome']}" for hit in server.hits()]
    knobs = asdict(faults.sql_server())
    lines += [f"{'sqlserver':<10}{name} {position:g}" for name, position in knobs.items() if position]
    print("\n".join(lines) or "No faults are set, and none has struck.")


def _sentence(rule: dict[str, Any]) -> str:
    times = "always" if rule["times"] is None else f"{rule['times']} more times"
    fields = {name: value for name, value in rule.items() if value and name not in ("action", "times", "message")}
    return f"{rule['action']}, {times}: " + ", ".join(f"{name} {value}" for name, value in fields.items())


def _times(text: str) -> int | str:
    if text != "always" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor `always`")
    return text if text == "always" else int(text)
