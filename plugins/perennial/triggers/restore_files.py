"""The files of a restore: copied from the attached volume over the tenant's folder, by a script on the host."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from include.backups.errors import PartError, PerennialError
from include.backups.recovery_points import Manifest
from perennial.hooks.hosts import Hosts, ScriptError
from perennial.hooks.leased import LeasedRestore
from perennial.hooks.vault import Vault
from perennial.settings import Settings
from perennial.triggers.restore_step import RestoreStepTrigger

OFFLINE_MARKER = "app_offline.htm"
"""While this file lies in a site's root, the site is offline (IIS with ASP.NET does so by itself)."""


class CopyFilesTrigger(RestoreStepTrigger):
    """Makes the tenant's folder the same as it was in the web snapshot."""

    step: ClassVar[str] = "copy_files"

    async def act(self, restore: LeasedRestore, point: Manifest) -> str:
        record, settings = restore.record, restore.vault.settings
        if record.volume is None:
            raise PartError("The restore has no volume to copy from.", todo="Clear the task `open` of this run.")
        web = record.target.web
        await restore.change(lambda r: r.beginning_on(f"{web.path} on {web.instance}"))
        try:
            outcome = await Hosts.of(settings).run(
                web.instance,
                web.platform,
                "copy_tree",
                {
                    "VOLUME_ID": record.volume,
                    "SOURCE": point.source.web.path_on_volume or ".",
                    "TARGET": web.path,
                    "MOUNT_NAME": f"perennial-{record.id}",
                    "OFFLINE_MARKER": OFFLINE_MARKER,
                    "PATHS": "",
                },
                mark=settings.mark(f"{record.id} copy"),
                limit=int(float(self.deadline)),
            )
        except ScriptError as error:
            raise PartError(
                f"The files of tenant {record.tenant} were not all copied back: {error.what}",
                why=f"{web.path} on {web.instance} may be partly old and partly restored.",
                todo="Mend what the script complains about, then clear the task `open` of this run.",
                **error.ids,
            ) from error
        copied = outcome.answer()
        return f"{copied['files']:,} files ({copied['bytes']:,} bytes) are back in {web.path} and equal the snapshot."

    async def on_kill(self) -> None:
        """The run was ended by hand: end the script too."""
        with suppress(PerennialError):
            settings, request = Settings.from_environment(), self.request()
            record = await Vault(settings).restores.get(request.tenant, request.restore_id)
            if record:
                hosts = Hosts.of(settings)
                await hosts.cancel(record.value.target.web.instance, settings.mark(f"{request.restore_id} copy"))
