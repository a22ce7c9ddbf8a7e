"""The other ways into the tests and the linters: continuous integration and hooks before a commit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lab.environment import PROJECT


def _machine(folder: Path, **programs: str) -> Path:
    """A folder for PATH with what every machine has, and programs that are scripts of a line."""
    for name in {"bash", "dirname", "grep", "id"} - set(programs):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, line in programs.items():
        program = folder / name.replace("_", "-")
        program.write_text(f"#!{shutil.which('bash')}\n{line}\n")
        program.chmod(0o755)
    return folder


def _ci_run(path: Path) -> subprocess.CompletedProcess[str]:
    command = [str(shutil.which("bash")), str(PROJECT / ".ci/run")]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, timeout=60, check=False)


READY = {"make": 'echo "make $*"', "git": "", "python3": ""}


def test_ci_runs_make_test_all_and_says_what_is_skipped_where_it_cannot_install(tmp_path: Path) -> None:
    done = _ci_run(_machine(tmp_path, **READY))
    assert (done.returncode, done.stdout) == (0, "make test-all\n")
    assert "rsync freetds-bin" in done.stderr
    assert "some tests are skipped" in done.stderr


@pytest.mark.parametrize(
    ("machine", "missing"),
    [
        ({"make": READY["make"], "git": "", "python3": "exit 1"}, "python3-venv"),
        ({"git": "", "python3": "", "id": "echo 1000", "sudo": "exit 1", "apt_get": "exit 0"}, "make"),
        ({"make": READY["make"], "python3": "", "id": "echo 0", "apt_get": "exit 100"}, "git"),
    ],
    ids=["no apt-get", "sudo asks for a password", "apt-get fails"],
)
def test_ci_ends_where_what_it_needs_cannot_be_installed(tmp_path: Path, machine: dict[str, str], missing: str) -> None:
    done = _ci_run(_machine(tmp_path, **machine))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Needed and not to be installed here")
    assert done.stderr.endswith(f": {missing}.\n")


def test_ci_installs_what_is_missing(tmp_path: Path) -> None:
    machine = {**READY, "id": "echo 1000", "sudo": 'echo "$*"'}
    done = _ci_run(_machine(tmp_path, apt_get="", **machine))
    assert done.returncode == 0
    assert "-n apt-get install -qq -y --no-install-recommends rsync freetds-bin" in done.stdout
    assert done.stdout.endswith("make test-all\n")


def test_every_hook_before_a_commit_is_a_line_of_the_makefile() -> None:
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (PROJECT / "Makefile").read_text()
    for hook in hooks:
        assert hook["entry"].removeprefix("env ").replace(".venv/bin", "$(BIN)") in makefile, hook["id"]
