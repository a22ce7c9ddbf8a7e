"""What the code says, for tests that hold the pages to it: its messages, its modules and their names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("include", "plugins/perennial", "dags", "lab", "demo", "bench", "tests")
PAGES = tuple(
    path
    for pattern in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md")
    for path in sorted(ROOT.glob(pattern))
)
GAP = "\0"
"""Stands for whatever a message fills in."""


def code_spans(text: str) -> list[str]:
    """Everything in code marks, but for blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def commands(page: str) -> list[str]:
    """Every command that a page of docs/ shows for typing, in its order."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def with_gaps(text: str) -> str:
    """A message as a page quotes it, `<...>` for what is filled in."""
    return _joined(re.sub(r"<[^<>]+>", GAP, text))


def messages(folders: Iterable[str]) -> set[str]:
    """All texts in the code below these folders, with gaps for what is filled in."""
    return {text for tree in _trees(folders) for node in ast.walk(tree) if (text := _text(node))}


def errors(folders: Iterable[str]) -> set[str]:
    """The first sentence of every error that is made in the code below these folders."""
    calls = [node for tree in _trees(folders) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        text
        for call in calls
        if call.args and re.search(r"(?<!Assertion)(?<!Value)Error$", ast.unparse(call.func))
        if (text := _text(call.args[0])) and text != GAP
    }


def aws_errors(folder: str) -> set[str]:
    """What the adapters say of AWS's refusals in all that the code below `folder` calls, be it by way of others."""
    adapters: defaultdict[str, list[ast.AST]] = defaultdict(list)
    for file in _imported_adapters(folder):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                adapters[node.name].append(node)
    called, found = [call for tree in _trees([folder]) for call in _calls(tree)], set[str]()
    while called:
        call = called.pop()
        name = ast.unparse(call.func).split(".")[-1]
        if name == "translate_errors" and (text := _text(call.args[0])):
            found.add(text)
        for function in adapters.pop(name, ()):
            called.extend(_calls(function))
    return found


def _imported_adapters(folder: str) -> set[Path]:
    """The modules of the adapters that the code below `folder` imports, be it by way of others."""
    found, left = set[Path](), list(python_files([folder]))
    while left:
        text = left.pop().read_text()
        imported = re.findall(r"^from (perennial\.hooks\S*) import (\w+)", text, re.MULTILINE)
        for module, name in imported:
            for path in (module, f"{module}.{name}"):
                file = ROOT / "plugins" / f"{path.replace('.', '/')}.py"
                if file.exists() and file not in found:
                    found.add(file)
                    left.append(file)
    return found


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@cache
def names() -> dict[str, set[str]]:
    """What can be written before a dot in a page, and after it: modules and their names, classes and their members."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for file in python_files(CODE):
        tree = ast.parse(file.read_text())
        found[file.stem] |= set(_defined(tree.body))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found[node.name] |= set(_defined(node.body))
    return found


def python_files(folders: Iterable[str]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _trees(folders: Iterable[str]) -> Iterator[ast.Module]:
    return (ast.parse(file.read_text()) for file in python_files(folders))


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _joined(re.sub(r"%(\.\d+)?[sdf]", GAP, node.value))
    if isinstance(node, ast.JoinedStr):
        return _joined("".join(str(v.value) if isinstance(v, ast.Constant) else GAP for v in node.values))
    return None


def _joined(text: str) -> str:
    return re.sub(f"{GAP}+", GAP, text)


def _defined(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
