"""The tenant's site while it is being restored: offline by the marker file that IIS and ASP.NET know, and online again.

Whether a restored site may go online is a rule of the record: it has to show one consistent state.
"""

from __future__ import annotations

from typing import ClassVar

from include.rules.errors import UnavailableError
from include.rules.points.manifest import Manifest
from include.rules.restore.record import RestoreRecord, Site
from perennial.hooks.aws.host_scripts import OFFLINE_MARKER
from perennial.hooks.aws.hosts import Hosts, ScriptError
from perennial.hooks.vault.leased import LeasedRestore
from perennial.restore.step import Done, RestoreStepTrigger
from perennial.settings import Settings

PAGE = "<!doctype html><title>Maintenance</title><p>This site is being restored and will be back soon.</p><!-- {} -->"

NOT_OVERWRITTEN = "This restore overwrites nothing: the site stays as it is."
OTHERS = "offline by somebody else"
SECONDS = 300


class TakeSiteOfflineTrigger(RestoreStepTrigger):
    """Takes the site offline, so that nothing that its users write is lost between the safety point and the copy."""

    step: ClassVar[str] = "take_site_offline"

    async def act(self, restore: LeasedRestore, point: Manifest) -> Done:
        plan = restore.record.plan
        if not plan.overwrites:
            return Done(NOT_OVERWRITTEN)
        # Recorded first: a marker whose step died must be taken away by `close`.
        await restore.change(lambda record: record.model_copy(update={"site": Site.OFFLINE}))
        answer = await _run(
            restore,
            "site_offline",
            {"CONTENT": PAGE.format(restore.record.id), "CREATE": "yes" if plan.replaces_files else "no"},
        )
        return Done(f"The site in {plan.target.web.path} on {plan.target.web.instance}: {answer}.")


class BringSiteOnlineTrigger(RestoreStepTrigger):
    """Brings the site online again after the check."""

    step: ClassVar[str] = "bring_site_online"

    async def act(self, restore: LeasedRestore, point: Manifest) -> Done:
        if not restore.record.may_go_online:
            return Done("The site stays OFFLINE: an earlier restore has left a part of it half restored.")
        return Done(await _remove_marker(restore) or NOT_OVERWRITTEN)


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
    try:
        outcome = await Hosts.of(settings).run(
            web.instance,
            web.platform,
            "inspect_folder",
            {"TARGET": web.path, "OFFLINE_MARKER": OFFLINE_MARKER, "COUNT_SECONDS": "0.1"},
            label=settings.run_label(f"{record.id} marker"),
            limit=SECONDS,
        )
    except ScriptError as error:
        raise UnavailableError(
            f"The site of tenant {record.tenant} could not be looked at: {error.what}",
            why="Nobody knows whether it is offline; nothing was restored.",
            todo=f"Check that {web.instance} runs and that {web.path} can be read, then clear the task `open`.",
            **error.ids,
        ) from error
    marker = outcome.answer()["marker"]
    return None if marker is None else str(marker)


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
    await restore.lease.check()
    try:
        outcome = await Hosts.of(settings).run(
            web.instance,
            web.platform,
            script,
            {"SITE": web.path, "OFFLINE_MARKER": OFFLINE_MARKER, "RESTORE_ID": record.id, **parameters},
            label=settings.run_label(f"{record.id} {script.removeprefix('site_')}"),
            limit=SECONDS,
        )
    except ScriptError as error:
        raise UnavailableError(
            f"The site of tenant {record.tenant} could not be taken {script.removeprefix('site_')}: {error.what}",
            why="Its host did not do as it was told.",
            todo=f"Look at {web.path} on {web.instance}; the site is offline as long as {OFFLINE_MARKER} lies there.",
            **error.ids,
        ) from error
    return str(outcome.answer()["site"])
