"""When the lab's own tests run again, and what a run says of itself."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.environment import PROJECT
from lab.testing.deadlines import within
from lab.waiting import wait_until
from tests import stamp as stamps
from tests.stamp import LAB_MADE_OF, fingerprint, is_stamped, stamp
from tests.tiers import (
    LAB,
    PARTS,
    PROPERTIES,
    STACK,
    STACK_SWEEPS,
    SWEEPS,
    Part,
    Result,
    Runs,
    counts,
    plan,
    run_lanes,
    summary,
)

PASSED = Result(LAB, 0, "12 passed", 20, 30)
FAILED = Result(STACK, 1, "1 failed", 9, 8)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with a lab, whose tests have passed."""
    monkeypatch.setattr(stamps, "PROJECT", tmp_path)
    monkeypatch.setattr(stamps, "STAMP", tmp_path / ".tested-lab")
    monkeypatch.setattr(stamps, "LAB_MADE_OF", ("lab", "pins.txt"))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "lab" / "room").mkdir(parents=True)
    (tmp_path / "lab" / "room" / "server.py").write_text("one")
    (tmp_path / "pins.txt").write_text("two")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "room.py").write_text("three")
    (tmp_path / "lab" / "linked").symlink_to(tmp_path / "elsewhere")
    stamp(fingerprint())
    return tmp_path


def test_what_has_passed_need_not_run_again_while_its_content_is_the_same(project: Path) -> None:
    assert is_stamped()
    os.utime(project / "pins.txt", (1, 1))
    (project / "lab" / "__pycache__").mkdir()
    (project / "lab" / "__pycache__" / "server.pyc").write_text("compiled")
    assert is_stamped()


@pytest.mark.parametrize("change", ["changed", "new", "gone", "renamed", "made executable", "behind a link"])
def test_any_change_of_content_makes_it_run_again(project: Path, change: str) -> None:
    server = project / "lab" / "room" / "server.py"
    if change == "changed":
        server.write_text("One")
    elif change == "new":
        (project / "lab" / "new.sql").touch()
    elif change == "gone":
        (project / "pins.txt").unlink()
    elif change == "made executable":
        server.chmod(0o755)
    elif change == "behind a link":
        (project / "elsewhere" / "room.py").write_text("changed")
    else:
        server.rename(server.with_name("renamed.py"))
    assert not is_stamped()


def test_another_machine_makes_it_run_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = project / "packages"
    packages.mkdir()
    monkeypatch.setattr(stamps, "CHINOOK", project / "chinook.sql")
    monkeypatch.setattr(stamps, "get_path", lambda _: packages)
    stamp(fingerprint())
    (project / "chinook.sql").touch()
    assert not is_stamped()
    stamp(fingerprint())
    (packages / "moto-6.dist-info").mkdir()
    assert not is_stamped()


def test_a_change_during_the_run_makes_it_run_again(project: Path) -> None:
    before = fingerprint()
    (project / "pins.txt").write_text("changed while the tests ran")
    stamp(before)
    assert not is_stamped()


def test_what_has_failed_runs_again(project: Path) -> None:
    stamp(None)
    assert not is_stamped()


def test_a_run_that_was_narrowed_down_proves_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "pins.txt").write_text("new")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k one")
    stamp(fingerprint())
    assert not is_stamped()


def test_all_that_the_labs_tests_import_of_this_project_is_in_the_stamp() -> None:
    files = [file for name in LAB_MADE_OF for file in _python_files(PROJECT / name)]
    assert len(files) > 100
    for file in files:
        for imported in _imports(file):
            found = imported.relative_to(PROJECT)
            assert any(found.is_relative_to(name) for name in LAB_MADE_OF) or file.name == "conftest.py", (
                f"{file} imports {found}: name it in LAB_MADE_OF"
            )


def _python_files(path: Path) -> Iterator[Path]:
    yield from path.rglob("*.py") if path.is_dir() else [path] if path.suffix == ".py" and path.exists() else []


def _imports(file: Path) -> Iterator[Path]:
    """The files of this project that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        for name in names:
            path = PROJECT / name.replace(".", "/")
            yield from (found for found in (path.with_suffix(".py"), path / "__init__.py") if found.exists())


def test_the_counts_are_those_of_the_last_line() -> None:
    last = b"\x1b[32m===== \x1b[1m12 passed\x1b[0m, 1 skipped\x1b[0m in 75.02s (0:01:15) =====\n"
    said = b"SKIPPED [1] 2 passed in 3s of it\n" + last
    assert counts(said) == "12 passed, 1 skipped"
    assert counts(b"no tests ran in 0.1s") == counts(b"") == "ended without counts"


def test_a_run_says_what_it_took_what_it_left_out_and_what_failed() -> None:
    said = list(summary([Result(PARTS, 0, "12 passed", 20, 30), FAILED], 21, [PARTS, STACK], interrupted=False))
    assert said[0] == "\nAfter 21 s:"
    assert said[1].split() == ["parts", "12", "passed", "20", "s", "30", "s", "CPU"]
    assert said[3].split(maxsplit=1)[1].startswith("unchanged since the last green run, not run again")
    assert said[4].split() == ["sweeps", "left", "out;", "`make", "test-all`", "runs", "them"]
    assert said[5] == "Failed: stack."
    assert "unchanged" not in "".join(summary([PASSED], 21, [LAB], interrupted=False))


def test_what_was_to_run_and_has_not_begun_is_named_with_the_reason() -> None:
    for interrupted, why in ((False, "the tests before it have failed"), (True, "interrupted")):
        said = "\n".join(summary([FAILED], 21, [STACK, SWEEPS, LAB], interrupted))
        assert f"sweeps        not begun: {why}\n" in said
        assert f"tests/lab     not begun: {why}\n" in said
        assert "left out" not in said
        assert "unchanged" not in said
        assert said.endswith("Interrupted: stack." if interrupted else "Failed: stack.")


def test_options_of_somebodys_own_are_said_to_leave_no_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    assert "PYTEST_ADDOPTS" not in "".join(summary([PASSED], 21, [LAB], interrupted=False))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k one")
    assert "PYTEST_ADDOPTS" in "".join(summary([PASSED], 21, [LAB], interrupted=False))


def test_a_lane_goes_to_its_end_and_leaves_out_what_asks_more_of_what_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # what is compiled is kept all the same
    fails, passes = tmp_path / "test_fails.py", tmp_path / "test_passes.py"
    fails.write_text("def test_one():\n    assert False\n")
    passes.write_text("import sys\n\ndef test_one():\n    assert not sys.dont_write_bytecode\n")
    options = "-p no:cacheprovider --noconftest"
    red, green = Part("red", f"{options} {fails}"), Part("green", f"{options} {passes}")
    more, other = Part("more", f"{options} {passes}", after_green=True), Part("other", f"{options} {passes}")
    results = run_lanes([[red, more, green], [other, more]], Runs())
    assert [(result.part.name, result.code) for result in results] == [
        ("red", 1),
        ("green", 0),
        ("other", 0),
        ("more", 0),
    ]


def test_all_asks_everything_and_the_labs_tests_once() -> None:
    for lab_is_due in (True, False):
        parts = [part for lane in plan(everything=True, lab_is_due=lab_is_due) for part in lane]
        assert sorted(part.name for part in parts) == sorted(
            part.name for part in (PARTS, LAB, SWEEPS, PROPERTIES, STACK, STACK_SWEEPS)
        )
    assert plan(everything=False, lab_is_due=False) == [[PARTS], [STACK]]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_ends_what_runs_begins_nothing_else_and_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "pytest.py").write_text(STANDS_IN_FOR_PYTEST)
    command = [sys.executable, "-c", "import sys; from tests.tiers import main; raise SystemExit(main(['all']))"]
    environment = os.environ | {
        "PYTHONPATH": f"{tmp_path}:{PROJECT}",
        "PERENNIAL_TEST_PACE": "1",
        "BEGUN": str(tmp_path),
    }
    run = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: len(list(tmp_path.glob("*.begun"))) == 2, within(30), "The first parts have not begun.")
    run.send_signal(signal.Signals[name])
    said, _ = run.communicate(timeout=within(30))
    assert run.returncode == 130
    assert len(list(tmp_path.glob("*.begun"))) == 2
    assert said.count("1 passed in 3.00s") == 2  # what both lanes have said
    assert "  sweeps        not begun: interrupted\n" in said
    assert said.endswith("Interrupted: parts, stack.\n")


STANDS_IN_FOR_PYTEST = """
import os, pathlib, signal, time

def end(*_):
    print("1 passed in 3.00s", flush=True)
    raise SystemExit(2)

signal.signal(signal.SIGTERM, end)
pathlib.Path(os.environ["BEGUN"], f"{os.getpid()}.begun").touch()
time.sleep(60)
"""


@pytest.mark.parametrize("pace", ["abc", "1,5"])
def test_a_pace_that_is_no_number_ends_the_run_with_one_line(pace: str) -> None:
    environment = os.environ | {"PERENNIAL_TEST_PACE": pace}
    command = [sys.executable, "-c", "from lab.testing.deadlines import measure_pace; measure_pace()"]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=within(60), check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"PERENNIAL_TEST_PACE is '{pace}', but has to be a number")
    assert done.stderr.count("\n") == 1
