"""What a restore does about the settings around a database's data: foretold in the preview, put back, checked."""

from __future__ import annotations

from collections.abc import Iterable

from include.rules.points.database_settings import DatabaseSettings
from include.rules.points.manifest import Manifest
from include.rules.restore.database_survey import DatabaseSurvey
from include.rules.restore.plan import RestorePlan
from include.rules.restore.request import DatabaseSource
from include.rules.restore.settings import differences, expected_settings, is_own_place, may_put_back
from perennial.hooks.sql_server import tsql_settings
from perennial.hooks.sql_server.database_settings import PutBack, put_back, read_settings, remedy
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.rights import SEES_LOGINS
from perennial.hooks.sql_server.session import Session
from perennial.hooks.sql_server.users import orphaned_users


def preview_settings(plan: RestorePlan, manifest: Manifest, survey: DatabaseSurvey) -> str:
    """A part of the preview (Markdown): which settings come back, and which somebody has to put back by hand."""
    wanted, server = plan.database_settings, survey.server
    if plan.database is None or server is None:
        return ""
    lines = ["**What lies around the data of the database**", ""]
    if wanted is None:
        return "\n".join([*lines, "- The recovery point does not say, nor can the server."])
    if manifest.database_settings is None:
        lines.append("- The recovery point does not say: what the database has now is what it should have again.")
    name = survey.settings.server if survey.settings else ""
    own_place, attached = _is_own_place(plan, manifest), plan.database_from is DatabaseSource.SNAPSHOT
    expected = expected_settings(wanted, server, name or wanted.server, own_place=own_place, attached=attached)
    for difference in differences(wanted, expected):
        setting = difference.setting
        was = f"{setting.label[0].upper()}{setting.label[1:]} was {difference.wanted} and will be {difference.actual}"
        if may_put_back(setting, server):
            lines.append(f"- {was}: it is put back.")
        else:
            statement = remedy(difference, plan.database, wanted, is_copy=not own_place)
            lines.append(f"- {was}, and this restore cannot put it back: {setting.effect}. Afterwards: `{statement}`")
    lines += [f"- {line}" for line in (_now(wanted, survey.settings), _cdc_jobs(plan, manifest, expected)) if line]
    if wanted.encryption:
        lines.append(f"- {wanted.encryption.warning}")
    return "\n".join(lines if len(lines) > 2 else [*lines, "- Nothing of it is lost."])


def put_settings_back(session: Session, plan: RestorePlan, manifest: Manifest) -> str:
    """Put back what can be; returns sentences on what was, and on what the server has refused.

    Raises:
        SqlServerError: when the connection was lost: it may be begun again.
    """
    if plan.database is None or plan.database_settings is None:
        return ""
    result = put_back(session, plan.database, plan.database_settings, is_copy=not _is_own_place(plan, manifest))
    return " ".join(_put_back_sentences(result))


def describe_settings(session: Session, plan: RestorePlan, manifest: Manifest) -> str:
    """Sentences on what is not as it was, each with the statement for an administrator; empty when all is.

    Raises:
        SqlServerError: when the server does not say.
    """
    name, wanted = str(plan.database), plan.database_settings
    sentences = [_orphans(session, name)]
    if wanted:
        actual, _ = read_settings(session, name)
        is_copy = not _is_own_place(plan, manifest)
        for difference in differences(wanted, actual) if actual else ():
            statement = remedy(difference, name, wanted, is_copy=is_copy)
            sentences.append(f"{difference.text[0].upper()}{difference.text[1:]}. For an administrator: {statement}")
        sentences.append(_cdc_jobs(plan, manifest, actual) if actual else "")
    return " ".join(sentence for sentence in sentences if sentence)


def not_put_back(error: SqlServerError) -> str:
    """The sentence for a server that was lost when the data was back: it fails no restore."""
    return f"Whether the settings around its data were put back is not known: {error}"


def _put_back_sentences(result: PutBack) -> Iterable[str]:
    if result.done:
        yield f"Put back: {', '.join(setting.label for setting in result.done)}."
    for setting, reason in result.refused:
        yield f"Not put back: {setting.label} ({reason})."


def _orphans(session: Session, database: str) -> str:
    orphans = orphaned_users(session, database)
    if orphans is None:
        return (
            f"Nobody knows which of its users have no login: the connection's login lacks {SEES_LOGINS.name} "
            f"({SEES_LOGINS.grant})."
        )
    return " ".join(f"User {orphan.name} has no login: {orphan.remedy}" for orphan in orphans)


def _cdc_jobs(plan: RestorePlan, manifest: Manifest, settings: DatabaseSettings) -> str:
    """Change data capture without its jobs keeps the log from being cut, for ever.

    The jobs know their database by its number, which only a restore over the database itself keeps.
    """
    keeps_jobs = _is_own_place(plan, manifest) and plan.replaces_database
    if not settings.cdc or (keeps_jobs and plan.database_from is DatabaseSource.BACKUP_FILE):
        return ""
    statement = tsql_settings.add_cdc_jobs(str(plan.database))
    return f"Change data capture comes without its jobs, and without them the log only grows: {statement}"


def _now(wanted: DatabaseSettings, now: DatabaseSettings | None) -> str:
    """What was changed since the recovery point, and goes back to what it was."""
    if now is None:
        return ""
    changed = [f"{d.setting.label} ({d.wanted}, now {d.actual})" for d in differences(wanted, now)]
    return f"Changed since, and meant to be again as the recovery point says: {', '.join(changed)}." if changed else ""


def _is_own_place(plan: RestorePlan, manifest: Manifest) -> bool:
    return is_own_place(manifest, plan.target.database, str(plan.database))
