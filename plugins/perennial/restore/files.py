"""The files of a restore: copied from the attached volume by a script on the host."""

from __future__ import annotations

from typing import Any, ClassVar

from include.rules.errors import PartError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.restore.plan import host_of
from include.rules.restore.record import COPY_FILES, RestoreRecord
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.aws.host_scripts import OFFLINE_MARKER
from perennial.hooks.aws.hosts import Hosts, ScriptError, ScriptRefusedError
from perennial.hooks.vault.leased import LeasedRestore
from perennial.restore.step import RestoreStepTrigger, StepReport
from perennial.restore.volumes import COPY_LABELS, mount_name


class CopyFilesTrigger(RestoreStepTrigger):
    """Makes the folder of the plan (or the chosen paths in it) the same as it was in the web snapshot."""

    step: ClassVar[str] = COPY_FILES

    async def act(self, restore: LeasedRestore, point: Manifest) -> StepReport:
        plan = restore.record.plan
        if plan.folder is None:
            return StepReport("No files were asked for.")
        folder, instance = plan.folder, plan.target.web.instance
        # Once this restore has begun on a new folder, what is in it is its own.
        must_be_new = not plan.replaces_files and self.step not in restore.record.begun
        answer = await copy_on_host(
            restore,
            SnapshotRole.WEB,
            "copy_tree",
            {
                "SOURCE": point.source.web.path_on_volume or ".",
                "TARGET": folder,
                "PATHS": "\n".join(plan.paths),
                "OFFLINE_MARKER": OFFLINE_MARKER,
                "MUST_BE_NEW": "yes" if must_be_new else "no",
            },
            begins=(self.step, f"{folder} on {instance}"),
            limit=float(self.deadline),
        )
        what = f"{len(plan.paths)} chosen paths" if plan.paths else "all"
        return StepReport(
            f"{answer['files']:,} files ({what}) are in {folder} on {instance} and equal the snapshot.", answer["bytes"]
        )

    async def stop(self, record: RestoreRecord) -> None:
        label = self.settings.run_label(f"{record.id} {COPY_LABELS[SnapshotRole.WEB]}")
        await Hosts.of(self.settings).cancel(record.plan.target.web.instance, label)


async def copy_on_host(
    restore: LeasedRestore,
    role: SnapshotRole,
    script: str,
    parameters: dict[str, str],
    *,
    begins: tuple[str, str] | None,
    limit: float,
) -> dict[str, Any]:
    """Run a script that copies from the volume of `role` on its host; returns the script's answer.

    Args:
        begins: The step, and what it is about to overwrite; recorded before the script starts. None when it only
            makes new files.
        limit: Seconds after which the script is ended.

    Raises:
        PartError: when the script fails.
    """
    record, settings = restore.record, restore.vault.settings
    host, volume = host_of(record.plan.target, role), record.volumes.get(role.value)
    if volume is None:
        raise PartError("The restore has no volume to copy from.", todo="Clear the task `open` of this run.")
    had_begun = begins is None or begins[0] in record.begun
    if begins:
        await restore.change(lambda r: r.beginning_on(*begins))
    try:
        outcome = await Hosts.of(settings, restore.lease.check).run(
            host.instance,
            host.platform,
            script,
            {"VOLUME_ID": volume, "MOUNT_NAME": mount_name(volume), **parameters},
            label=settings.run_label(f"{record.id} {COPY_LABELS[role]}"),
            limit=int(limit),
        )
    except (ScriptRefusedError, AwsRejectedError) as error:
        if begins and not had_begun:
            await restore.change(lambda r: r.not_begun_on(begins[0]))
        raise PartError(
            f"The files of tenant {record.tenant} were not copied back: {error.what}",
            why="Nothing was overwritten by it.",
            todo="Mend what the script complains about, or start another restore.",
            **error.ids,
        ) from error
    except ScriptError as error:
        raise PartError(
            f"The files of tenant {record.tenant} were not all copied back: {error.what}",
            why=f"{begins[1]} may be partly old and partly restored." if begins else "Nothing was overwritten by it.",
            todo="Mend what the script complains about, then clear the task `open` of this run.",
            **error.ids,
        ) from error
    return outcome.answer()
