"""`python -m demo`: Perennial on this machine, with a lab in place of AWS and SQL Server."""

from __future__ import annotations

import argparse
import fcntl
import shutil
from pathlib import Path

from rich.console import Console

from demo.environment import airflow_url
from demo.foreground import follow
from demo.narrator import Narrator
from demo.report import report
from demo.stack import Stack
from demo.story import Outcome, tell
from lab.ports import free_port_base
from lab.seed.tenants import seed
from lab.settings import LabSettings, SettingsError
from lab.signals import ignore_signals, interrupt_on_signals

STORY_STATE = Path(".demo").absolute()
STORY_PORTS = 15700


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command, name, text in (
        (up, "up", "start everything, seed three tenants, and stay in the foreground until Ctrl-C"),
        (down, "down", "stop everything that an earlier `up` or `run` has left running"),
        (run, "run", "back up three tenants, wreck one, restore it, compare, and report"),
    ):
        commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".").set_defaults(command=command)
    options = parser.parse_args(arguments)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    with interrupt_on_signals():
        try:
            return int(options.command(console))
        except SettingsError as error:
            console.print(str(error))
            return 1


def up(console: Console) -> int:
    """`make up`: everything in the foreground; what the lab holds is kept for the next time."""
    settings = LabSettings.from_environment()
    stack = Stack(settings)
    narrator = Narrator(console)
    if running := [name for name in stack.names if stack.processes.leader(name)]:
        console.print(f"Already running in {settings.state}: {', '.join(running)}. `make down` stops them.")
        return 1
    try:
        with narrator.chapter("Starting the lab, PostgreSQL and Airflow"):
            stack.start()
        with narrator.chapter("Seeding three tenants") as say:
            seed(settings, say)
        with narrator.chapter("Waiting for Airflow to be healthy"):
            stack.wait_until_healthy()
        console.print(
            f"\nAirflow is at {airflow_url(settings)}\n"
            "  No sign-in is needed: everybody on this machine is an administrator there.\n"
            f"  State and logs are in {settings.state}. Ctrl-C stops everything.\n"
        )
        follow(stack.processes, stack.names, console)
    except KeyboardInterrupt:
        return 0
    except Exception as error:  # whatever it is, nothing stays behind and the reason is the last thing to be read
        console.print(f"\n{_reason(error)}")
        return 1
    finally:
        ignore_signals()
        with narrator.chapter("Stopping everything"):
            stack.stop()


def down(console: Console) -> int:
    """`make down`: for what `up` or `run` could not stop itself, having been killed."""
    for state in (LabSettings.from_environment().state, STORY_STATE):
        Stack(LabSettings(state, STORY_PORTS)).stop()
    console.print("Everything is stopped.")
    return 0


def run(console: Console) -> int:
    """`make demo`: the story from beginning to end in a fresh folder; the last line is for scripts."""
    with Path(__file__).open() as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(
                "`make demo` runs from this folder already, and a second one would stop it: wait for its end."
            )
            print("demo: failed, it runs already")
            return 1
        return _run(console)


def _run(console: Console) -> int:
    Stack(LabSettings(STORY_STATE, STORY_PORTS)).stop()
    shutil.rmtree(STORY_STATE, ignore_errors=True)
    stack = Stack(LabSettings(STORY_STATE, free_port_base(STORY_PORTS)))
    narrator = Narrator(console)
    try:
        outcome = tell(stack, narrator)
        console.print(f"\n{report(stack.settings, outcome)}\n")
    except KeyboardInterrupt:
        outcome, failure = None, "interrupted"
    except Exception as error:  # as above
        outcome, failure = None, _reason(error)
    finally:
        ignore_signals()
        with narrator.chapter("Stopping everything"):
            stack.stop()
    if outcome is None:
        console.print(
            f"\n{failure}\n\nEverything is stopped. The logs are in {STORY_STATE / 'logs'}, "
            f"those of Airflow's tasks in {STORY_STATE / 'airflow' / 'logs'}. `make demo` starts afresh."
        )
        print(f"demo: failed, {failure.splitlines()[0]}")
        return 1
    print(_last_line(outcome, narrator.seconds))
    return 0


def _last_line(outcome: Outcome, seconds: float) -> str:
    return (
        f"demo: ok, tenants={len(outcome.before)} restored=1 "
        f"worker_starts={outcome.backup_worker_starts} seconds={seconds:.0f}"
    )


def _reason(error: Exception) -> str:
    """What went wrong: the messages of our own errors speak for themselves, others need their kind's name."""
    return str(error) if type(error).__module__.startswith(("demo.", "lab.")) else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    raise SystemExit(main())
