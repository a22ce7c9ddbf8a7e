"""T-SQL about what lies around a database's data: the rights of the login that Perennial uses.

As `tsql`, whose quoting it uses: text only, and each statement is judged by Microsoft's own grammar in the tests.
Sources: learn.microsoft.com, HAS_PERMS_BY_NAME, IS_SRVROLEMEMBER, and the permissions of each statement on its page.
"""

from __future__ import annotations

from collections.abc import Mapping

from perennial.hooks.sql_server.tsql import name, text


def rights(questions: Mapping[str, str], database: str) -> str:
    """One row with an answer of 1, 0 or NULL to each of the questions, by name, and the state of the database.

    Args:
        questions: Expressions by the name of their column; `{name}` in them stands for the database's name as text,
            `{quoted}` for its quoted one as text.
    """
    answers = ", ".join(
        f"{question.format(name=text(database), quoted=text(name(database)))} AS {name(column)}"
        for column, question in questions.items()
    )
    state = f"(SELECT state_desc FROM sys.databases WHERE name = {text(database)})"
    return f"SELECT {answers}, {state} AS state_desc"
