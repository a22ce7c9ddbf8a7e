"""The demo's comparison sees every kind of difference: without that its "all as before" would prove nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.fingerprint import Fingerprint, TableMark, file_marks


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "page.html").write_text("hello")
    (tmp_path / "current").symlink_to("folder")
    return tmp_path


def whole(tree: Path, rows: int = 7, checksum: int = -42) -> Fingerprint:
    return Fingerprint(file_marks(tree), {"orders": TableMark(rows, checksum)})


def test_two_looks_at_the_same_thing_show_no_difference(tree: Path) -> None:
    assert whole(tree).differences(whole(tree)) == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda tree: (tree / "folder" / "page.html").unlink(), "file folder/page.html is missing"),
        (lambda tree: (tree / "extra").touch(), "file extra is new"),
        (lambda tree: (tree / "folder" / "page.html").chmod(0o600), "file folder/page.html has changed"),
        (lambda tree: os.utime(tree / "folder" / "page.html", (1, 1)), "file folder/page.html has changed"),
        (lambda tree: (tree / "folder").chmod(0o700), "file folder has changed"),
    ],
    ids=["deleted", "added", "other mode", "other time", "other mode of a folder"],
)
def test_a_change_of_one_file_is_the_one_difference(
    tree: Path, change: Callable[[Path], None], difference: str
) -> None:
    before = whole(tree)

    change(tree)

    assert before.differences(whole(tree)) == [difference]


def test_other_bytes_are_seen_although_mode_and_time_are_the_same(tree: Path) -> None:
    page = tree / "folder" / "page.html"
    before, times = whole(tree), (page.stat().st_atime_ns, page.stat().st_mtime_ns)

    page.write_text("HELLO")
    os.utime(page, ns=times)

    assert before.differences(whole(tree)) == ["file folder/page.html has changed"]


def test_a_link_that_leads_elsewhere_is_seen(tree: Path) -> None:
    before, link = whole(tree), tree / "current"
    times = (link.lstat().st_atime_ns, link.lstat().st_mtime_ns)

    link.unlink()
    link.symlink_to("elsewhere")
    os.utime(link, ns=times, follow_symlinks=False)

    assert before.differences(whole(tree)) == ["file current has changed"]


def test_rows_lost_and_rows_altered_are_both_seen(tree: Path) -> None:
    assert whole(tree).differences(whole(tree, rows=6)) == ["table orders has changed"]
    assert whole(tree).differences(whole(tree, checksum=43)) == ["table orders has changed"]
