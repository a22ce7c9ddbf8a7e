"""The page on backups quotes the messages of the code, and none of a backup's errors is missing from it."""

from __future__ import annotations

import re

from tests.docs.sources import GAP, ROOT, aws_errors, code_spans, errors, messages, with_gaps

PRODUCT = ("include/rules", "plugins/perennial", "dags")
OF_BACKUPS = ("include/rules/backup", "plugins/perennial/backup")


def quoted() -> list[str]:
    """The messages in the first column of the page's tables."""
    page = (ROOT / "docs" / "backup.md").read_text().split("## How a backup goes")[0]
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    return [span for row in rows for span in code_spans(row)]


def test_every_message_that_the_page_on_backups_quotes_is_one_of_the_code() -> None:
    said = messages(PRODUCT)
    assert len(quoted()) > 40
    assert [text for text in quoted() if not any(with_gaps(text) in message for message in said)] == []


def test_every_error_of_a_backup_stands_on_its_page() -> None:
    known = [with_gaps(text) for text in quoted()]
    assert [text for text in errors(OF_BACKUPS) if not any(part in text for part in known)] == []


def test_everything_that_aws_can_refuse_a_backup_stands_on_its_page() -> None:
    said, known = aws_errors("plugins/perennial/backup"), [with_gaps(text) for text in quoted()]
    assert "AWS could not be asked for snapshots" in said
    assert [text for text in said if not any(part in text for part in known)] == []


def test_the_chapters_of_the_demo_in_the_readme_are_those_that_it_tells() -> None:
    shown = re.findall(r"^ +\d+\.\d s  (\S.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    told = [
        re.compile(re.escape(text).replace(re.escape(GAP), ".+")) for text in messages(("demo",)) if text[:1] != GAP
    ]
    assert len(shown) > 5
    assert [line for line in shown if not any(chapter.fullmatch(line) for chapter in told)] == []
