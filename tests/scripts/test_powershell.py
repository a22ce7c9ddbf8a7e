"""The scripts for Windows: their syntax, and that they are asked and answer as those for Linux. None is run here."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from include.rules.register.tenants import Platform
from perennial.hooks.aws.host_scripts import SCRIPTS, script_lines, script_text

SCRIPT_NAMES = sorted(file.stem for file in SCRIPTS.glob("*.sh"))
FILES = sorted(SCRIPTS.rglob("*.ps1"))
OF_LINUX_ONLY = {"MOUNT_NAME", "DEVICE", "VOLUME_GIB"}
ANSWERED_BY_WINDOWS_ONLY = {"links_left_out", "free_letter"}
_COMMENTS = re.compile(r"^#.*$", re.MULTILINE)


def syntax_errors(text: str) -> list[str]:
    """Line and text of everything that is not PowerShell."""
    parser = Parser(Language(tree_sitter_powershell.language()))

    def broken(node: Node) -> Iterator[str]:
        if node.type == "ERROR" or node.is_missing:
            yield f"line {node.start_point.row + 1}: {node.type} {(node.text or b'').decode()[:80]!r}"
        for child in node.children:
            yield from broken(child)

    return list(broken(parser.parse(text.encode()).root_node))


def whole(name: str, platform: Platform = Platform.WINDOWS) -> str:
    """A script with its library."""
    return script_text(platform, name)


def documented(text: str) -> set[str]:
    """The parameters that the comments name: capitals at a line's beginning, and a description."""
    found = re.findall(r"^# ((?:[A-Z_]{4,}, )*[A-Z_]{4,}) {2,}\S", text, re.MULTILINE)
    return {name for names in found for name in names.split(", ")}


def answers(text: str) -> set[str]:
    """The fields that the comments say the answer has."""
    (said,) = re.findall(r"The last line it writes is a JSON object(.*?)\n#\n", text, re.DOTALL)
    lines = said.replace("\n# ", "\n")
    if ":\n" in lines:
        return {
            name for names in re.findall(r"^ {2}((?:\w+, )*\w+) +\S", lines, re.MULTILINE) for name in names.split(", ")
        }
    return set(
        re.findall(r"\b(files|bytes|seconds|counted|checked_by|folder|around|links_left_out|site)\b(?=[ ,.:])", lines)
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_script_is_powershell(file: Path) -> None:
    assert syntax_errors(file.read_text(encoding="ascii")) == []


@pytest.mark.parametrize(
    "broken",
    [
        "if ($a) { 'open'\n",
        "foreach ($a in 1..3 { $a }\n",
        "$text = 'no end\n",
        "function Broken { if }\n",
        "$a = @{ b = 1\n",
        "try { 1 }\nif (\n",
    ],
)
def test_a_broken_script_is_seen(broken: str) -> None:
    assert syntax_errors(broken) != []
    whole_script = (SCRIPTS / "site_online.ps1").read_text()
    assert syntax_errors(whole_script + broken) != []


def test_every_script_is_there_for_both_platforms() -> None:
    assert "copy_tree" in SCRIPT_NAMES
    assert sorted(file.stem for file in SCRIPTS.glob("*.ps1")) == SCRIPT_NAMES


@pytest.mark.parametrize("name", SCRIPT_NAMES)
def test_a_script_is_asked_the_same_on_both_platforms_and_uses_what_it_documents(name: str) -> None:
    windows, linux = whole(name), whole(name, Platform.LINUX)
    used = set(re.findall(r"\$Asked\.([A-Z_]+)", _COMMENTS.sub("", windows)))
    assert used == documented(windows)
    if name != "unmount":
        assert documented(windows) == documented(linux) - OF_LINUX_ONLY


@pytest.mark.parametrize("name", [name for name in SCRIPT_NAMES if name != "unmount"])
def test_a_script_answers_the_same_on_both_platforms(name: str) -> None:
    files = {
        platform: (SCRIPTS / f"{name}{suffix}").read_text() for platform, suffix in (("sh", ".sh"), ("ps", ".ps1"))
    }
    assert answers(files["sh"])
    assert answers(files["ps"]) - ANSWERED_BY_WINDOWS_ONLY == answers(files["sh"])


@pytest.mark.parametrize("name", SCRIPT_NAMES)
def test_a_script_ends_with_exit_code_0_whatever_its_last_program_left(name: str) -> None:
    last = [line for line in whole(name).splitlines() if re.match(r"\w", line)][-1]
    assert last.startswith(("Write-Answer ", "Write-State "))


@pytest.mark.parametrize("value", ["", "it's", "'; Remove-Item C:\\ -Recurse #", "a\nb\n", "ümläut 名前", '$(1) `"'])
def test_a_parameter_is_data_and_never_code(value: str) -> None:
    line = script_lines(Platform.WINDOWS, "unmount", {"VALUE": value})[1]
    found = re.fullmatch(
        r"\$Asked\.VALUE = \[Text\.Encoding\]::UTF8\.GetString\(\[Convert\]::FromBase64String\('([A-Za-z0-9+/=]*)'\)\)",
        line,
    )
    assert found
    assert base64.b64decode(found[1]).decode() == value
    assert syntax_errors(line) == []


@pytest.mark.parametrize("platform", Platform)
@pytest.mark.parametrize("name", SCRIPT_NAMES)
def test_what_is_sent_to_a_host_is_the_script_without_its_comments(name: str, platform: Platform) -> None:
    sent = script_lines(platform, name, {})
    kept = [line for line in whole(name, platform).splitlines() if not line.lstrip().startswith("#")]
    assert sent == (["$Asked = @{}", *kept] if platform is Platform.WINDOWS else kept)
    if platform is Platform.WINDOWS:
        assert syntax_errors("\n".join(sent)) == []


@pytest.mark.parametrize("platform", Platform)
def test_what_a_script_needs_stands_before_it(platform: Platform) -> None:
    text = whole("copy_tree", platform)
    definition = {Platform.LINUX: "mount_volume() {", Platform.WINDOWS: "function Mount-SnapshotVolume {"}[platform]
    use = {Platform.LINUX: '\nmount_volume "', Platform.WINDOWS: "$root = Mount-SnapshotVolume"}[platform]
    assert 0 <= text.index(definition) < text.index(use)


FORBIDDEN = {
    r"Set-Acl": "it sets the owner too, and throws without SeRestorePrivilege",
    r"'/XJ'": "with it robocopy leaves out links to files, whatever /SL says",
    r"'/MIR'|'/PURGE'": "robocopy follows links of the target to wherever they lead",
    r"\bTest-Path|\bGet-ChildItem|\bRemove-Item|\bCopy-Item": "brackets are wildcards, 260 characters the end",
    r"-Path\b(?!\()|-Filter\b": "a path is literal",
    r"catch \[IO\.IOException\] \{ return 'nothing' \}": "what cannot be looked at is not what is not there",
    r"\$Env:(?!SystemRoot)": "the environment takes 32,767 characters; what a script is asked is in $Asked",
    r"Invoke-Expression|\biex\b": "a value is never code",
    r"\.FullName\b": "of a path that begins with \\\\?\\ nobody has said how it comes back",
}
"""What no script uses, and why: learn.microsoft.com, robocopy, Set-Acl, Maximum Path Length Limitation."""


def code(file: Path) -> str:
    """A script without its comments."""
    return re.sub(r"(?m)(^|\s)#.*$", "", file.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_script_uses_what_windows_would_take_otherwise(file: Path) -> None:
    assert [why for pattern, why in FORBIDDEN.items() if re.search(pattern, code(file))] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_net_is_given_paths_of_any_length_only(file: Path) -> None:
    text = code(file)
    long = {name for names in re.findall(r"(\$\w+(?:, \$\w+)*) = \(?Get-Long", text) for name in names.split(", ")}
    takes_path = r"(?:\[IO\.(?:File|Directory)\]::\w+\(|New-Object IO\.(?:File|Directory)Info |-LiteralPath )"
    calls = re.findall(takes_path + r"(\(Get-Long|\$?\S\w*)", text)
    assert calls or file.stem in ("inspect_folder", "inspect_host", "unmount", "volume")
    assert [argument for argument in calls if argument != "(Get-Long" and argument not in long] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_exit_code_of_every_program_is_looked_at(file: Path) -> None:
    """PowerShell goes on after a program that has failed."""
    lines = code(file).splitlines()
    for number, line in enumerate(lines):
        if re.search(r"& \w+\.exe", line):
            assert "$LASTEXITCODE" in lines[number + 1]


@pytest.mark.parametrize("name", ["copy_tree", "copy_database_files"])
def test_whatever_stops_a_look_says_that_nothing_was_overwritten(name: str) -> None:
    """Exit code 3 says so; an error that nobody catches would end with 1, as one after the first change does."""
    text = code(SCRIPTS / f"{name}.ps1")
    look, _, rest = text.partition("try { $root = Mount-SnapshotVolume }")[2].partition(
        'catch { Stop-Untouched "It cannot'
    )
    assert rest
    assert not re.search(r"Restore-Files|Copy-ToPart|Delete|CreateDirectory", look)
    assert "Close-SnapshotVolume" in rest.partition("finally")[2]


def test_whatever_a_script_calls_that_a_host_may_lack_is_looked_for_long_before_a_restore() -> None:
    storage = r"\b(?:Get|Set|Update|Remove|Add|New)-(?:Disk|Partition\w*|Volume|HostStorageCache|FileHash)\b"
    inspects = SCRIPTS / "inspect_host.ps1"
    others = (code(file) for file in SCRIPTS.rglob("*.ps1") if file != inspects)
    used = {name for text in others for name in re.findall(rf"{storage}|[a-z]+\.exe", text)}
    assert {"robocopy.exe", "icacls.exe", "Get-Volume"} <= used
    assert used <= set(re.findall(r"'([\w.-]+)'", code(inspects)))
