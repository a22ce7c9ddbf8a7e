"""The tenant's site while it is being restored: offline by the marker file that IIS and ASP.NET know, and online again.

Whether a restored site may go online is a rule of the record: it has to show one consistent state.
"""

from __future__ import annotations

from typing import Any, ClassVar

from include.rules.errors import UnavailableError
from include.rules.points.manifest import Manifest
from include.rules.register.tenants import WebHost
from include.rules.restore.record import RestoreRecord, Site
from perennial.hooks.aws.host_scripts import OFFLINE_MARKER
from perennial.hooks.aws.hosts import Hosts, translate_script_errors
from perennial.hooks.vault.leased import LeasedRestore
from perennial.restore.backup_source import check_backup_file
from perennial.restore.step import RestoreStepTrigger, StepReport
from perennial.settings import Settings

PAGE = "<!doctype html><title>Maintenance</title><p>This site is being restored and will be back soon.</p><!-- {} -->"

NOT_OVERWRITTEN = "This restore overwrites nothing: the site stays as it is."
OTHERS = "offline by somebody else"
SECONDS = 300
"""How long a web host may take for a script that looks, or takes the site offline or online."""


class TakeSiteOfflineTrigger(RestoreStepTrigger):
    """Takes the site offline, so that nothing that its users write is lost between the safety point and the copy."""

    step: ClassVar[str] = "take_site_offline"

    async def act(self, restore: LeasedRestore, point: Manifest) -> StepReport:
        plan = restore.record.plan
        if not plan.overwrites:
            return StepReport(NOT_OVERWRITTEN)
        # The last moment at which a source that cannot be read hurts nobody.
        source = await check_backup_file(restore, point)
        # Recorded first: a marker whose step died must be taken away by `close`.
        await restore.change(lambda record: record.model_copy(update={"site": Site.OFFLINE}))
        answer = await _run(
            restore,
            "site_offline",
            {"CONTENT": PAGE.format(restore.record.id), "CREATE": "yes" if plan.replaces_files else "no"},
        )
        site = f"The site in {plan.target.web.path} on {plan.target.web.instance}: {answer}."
        return StepReport(f"{site} {source}".rstrip())


class BringSiteOnlineTrigger(RestoreStepTrigger):
    """Brings the site online again after the check."""

    step: ClassVar[str] = "bring_site_online"

    async def act_on(self, restore: LeasedRestore) -> StepReport:
        if not restore.record.may_go_online:
            return StepReport("The site stays OFFLINE: an earlier restore has left a part of it half restored.")
        return StepReport(await _remove_marker(restore) or NOT_OVERWRITTEN)


async def bring_online(restore: LeasedRestore) -> str:
    """Bring the site online when it may; returns a sentence when the host could not be told to."""
    if not restore.record.may_go_online:
        return ""
    try:
        await _remove_marker(restore)
    except UnavailableError as error:
        return str(error)
    return ""


async def marker_on_site(settings: Settings, record: RestoreRecord) -> str | None:
    """Whose marker lies in the tenant's folder: the id of a restore, "unknown" for somebody else's, None for none.

    Raises:
        UnavailableError: when the host does not say.
    """
    web = record.plan.target.web
    with translate_script_errors(
        f"The site of tenant {record.tenant} could not be looked at",
        why="Nobody knows whether it is offline; nothing was restored.",
        todo=f"Check that {web.instance} runs and that {web.path} can be read, then clear the task `open`.",
    ):
        answer = await inspect_folder(settings, web, web.path, f"{record.id} marker", count_seconds=0.1)
    return None if answer["marker"] is None else str(answer["marker"])


async def inspect_folder(
    settings: Settings, web: WebHost, folder: str, what_for: str, *, count_seconds: float
) -> dict[str, Any]:
    """What the web host says of a folder (include/scripts/inspect_folder.sh); nothing is changed.

    Args:
        what_for: Unique to this look: a later attempt takes part in one that is under way.
        count_seconds: When the host gives up counting files.

    Raises:
        ScriptError: when the folder cannot be looked at.
        UnavailableError: when SSM does not answer.
    """
    parameters = {"TARGET": folder, "COUNT_SECONDS": str(count_seconds)}
    return await _run_on_web_host(Hosts.of(settings), web, "inspect_folder", parameters, settings.run_label(what_for))


async def _remove_marker(restore: LeasedRestore) -> str:
    if restore.record.site is not Site.OFFLINE:
        return ""
    answer = await _run(restore, "site_online", {})
    if answer == OTHERS:
        return f"The site stays OFFLINE, as it was: {OFFLINE_MARKER} in its folder is of no restore of this tenant."
    await restore.change(lambda record: record.model_copy(update={"site": Site.ONLINE}))
    return f"The site: {answer}."


async def _run(restore: LeasedRestore, script: str, parameters: dict[str, str]) -> str:
    record, settings = restore.record, restore.vault.settings
    web = record.plan.target.web
    direction = script.removeprefix("site_")
    with translate_script_errors(
        f"The site of tenant {record.tenant} could not be taken {direction}",
        why="Its host did not do as it was told.",
        todo=f"Look at {web.path} on {web.instance}; the site is offline as long as {OFFLINE_MARKER} lies there.",
    ):
        parameters = {"SITE": web.path, "RESTORE_ID": record.id, **parameters}
        hosts, label = Hosts.of(settings, restore.lease.check), settings.run_label(f"{record.id} {direction}")
        answer = await _run_on_web_host(hosts, web, script, parameters, label)
    return str(answer["site"])


async def _run_on_web_host(
    hosts: Hosts, web: WebHost, script: str, parameters: dict[str, str], label: str
) -> dict[str, Any]:
    outcome = await hosts.run(
        web.instance,
        web.platform,
        script,
        {"OFFLINE_MARKER": OFFLINE_MARKER, **parameters},
        label=label,
        limit=SECONDS,
    )
    return outcome.answer()
