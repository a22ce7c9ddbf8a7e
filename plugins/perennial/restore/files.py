"""The files of a restore: copied from the attached volume by a script on the host."""

from __future__ import annotations

from typing import Any, ClassVar

from include.rules.errors import PartError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole, host_of
from include.rules.restore.record import COPY_FILES, RestoreRecord
from include.rules.restore.source_folder import check_source, describe_source, said_folder, seen_folder
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.aws.host_scripts import OFFLINE_MARKER
from perennial.hooks.aws.hosts import Hosts, Outcome, ScriptError, ScriptRefusedError
from perennial.hooks.register import find_register
from perennial.hooks.vault.leased import LeasedRestore
from perennial.restore.neighbours import known_tenants
from perennial.restore.safety_look import check_still_its_own
from perennial.restore.step import RestoreStepTrigger, StepReport
from perennial.restore.volumes import COPY_LABELS, LOOK_LABELS, mount_name

LOOK_SECONDS = 120
"""How long a host may count what is to come back; a volume from a snapshot is loaded while it is read."""

LOOK_LIMIT = 600
"""Seconds for the whole of such a look, waiting for the disk included."""

CHECKED_BY = {
    "rsync and find": ", compared by rsync and find: the host's rsync, or its file system, does not know nanoseconds",
    "diff and find": ", compared by diff and find: the host has no rsync, so that nobody knows of ACLs and attributes",
}
"""What an operator is told of how a copy was compared with its snapshot, where it was not as usual."""


class CopyFilesTrigger(RestoreStepTrigger):
    """Makes the folder of the plan (or the chosen paths in it) the same as it was in the web snapshot."""

    step: ClassVar[str] = COPY_FILES

    async def act(self, restore: LeasedRestore, point: Manifest) -> StepReport:
        plan = restore.record.plan
        if plan.folder is None:
            return StepReport("No files were asked for.")
        folder, instance = plan.folder, plan.target.web.instance
        if plan.replaces_files and self.step not in restore.record.begun:
            await check_still_its_own(self.settings, plan)
        answer = await copy_on_host(
            restore,
            SnapshotRole.WEB,
            "copy_tree",
            {**_parameters(restore.record), "SOURCE": _folder_looked_at(restore.record)},
            begins=(self.step, f"{folder} on {instance}"),
            limit=float(self.deadline),
        )
        what = f"{len(plan.paths)} chosen paths" if plan.paths else "all"
        said = (
            f"{answer['files']:,} files ({what}) are in {folder} on {instance} and equal the snapshot"
            f"{CHECKED_BY.get(answer['checked_by'], '')}."
        )
        return StepReport(" ".join(filter(None, (said, describe_source(point, answer["folder"])))), answer["bytes"])

    async def stop(self, record: RestoreRecord) -> None:
        label = self.settings.run_label(f"{record.id} {COPY_LABELS[SnapshotRole.WEB]}")
        await Hosts.of(self.settings).cancel(record.plan.target.web.instance, label)


async def look_at_files(restore: LeasedRestore, point: Manifest) -> str:
    """Let the host look where in the snapshot the files are, and whether they could be brought back, as they will be,
    and change nothing; in a sentence.

    Raises:
        PartError: when they cannot.
        RefusedError: when they are another tenant's.
    """
    links = {"SHOWN_AT": point.source.web.mount, "SEEN_AT": seen_folder(point)}
    parameters = {**_parameters(restore.record), "SOURCE": said_folder(point), **links}
    answer = await look_on_host(restore, SnapshotRole.WEB, "copy_tree", parameters)
    found = answer["folder"]
    if found != said_folder(point):
        known = await known_tenants(restore.vault, point, await find_register(restore.vault.settings))
        check_source(point, found, known, around=answer["around"])
    await restore.change(lambda record: record.model_copy(update={"files_from": found}))
    if answer["counted"] and answer["files"] == 0:
        _check_may_be_empty(restore.record, point)
    said = f"It has {answer['files']:,} files to bring back ({answer['bytes']:,} bytes), and there is room for them."
    if not answer["counted"]:
        said = f"More files than could be counted in {LOOK_SECONDS} s: nobody knows yet whether there is room for them."
    return " ".join(filter(None, (said, describe_source(point, found))))


def _check_may_be_empty(record: RestoreRecord, point: Manifest) -> None:
    """Refuse to make a live site the same as a folder without a file that nobody has seen before its snapshot.

    Raises:
        PartError: which says so.
    """
    look, plan = point.looks.get(PartName.WEB_SNAPSHOT), record.plan
    was_seen = look is not None and not look.not_looked_at
    if was_seen or plan.paths or not plan.replaces_files or plan.target.plan.allow_empty_folder:
        return
    raise PartError(
        f"The web_snapshot of recovery point {point.id} has not one file in the folder of tenant {record.tenant}, and "
        "nobody had looked at its volume before it was taken.",
        why=f"It may be of another volume than the site was on, and all of {plan.folder} would be deleted; nothing "
        "was overwritten.",
        todo="Restore another recovery point; or allow an empty folder in the plan (`allow_empty_folder`).",
    )


def _parameters(record: RestoreRecord) -> dict[str, str]:
    plan = record.plan
    # Once this restore has begun on a new folder, what is in it is its own.
    must_be_new = not plan.replaces_files and COPY_FILES not in record.begun
    return {
        "TARGET": plan.folder or "",
        "PATHS": "\n".join(plan.paths),
        "OFFLINE_MARKER": OFFLINE_MARKER,
        "MUST_BE_NEW": "yes" if must_be_new else "no",
    }


def _folder_looked_at(record: RestoreRecord) -> str:
    """Where in the snapshot the files are, as `attach_volumes` has found: no copy follows a link to another place.

    Raises:
        PartError: when nobody has looked, because an earlier version of Perennial has attached the volume.
    """
    if not record.files_from:
        raise PartError(
            f"Nobody has looked where the files of tenant {record.tenant} are in the snapshot.",
            why="They may be another tenant's; nothing was overwritten by it.",
            todo="Clear the task `open` of this run.",
        )
    return record.files_from


async def look_on_host(
    restore: LeasedRestore, role: SnapshotRole, script: str, parameters: dict[str, str]
) -> dict[str, Any]:
    """Run a script that copies from the volume of `role`, only to look; returns its answer.

    Raises:
        PartError: when it says that a copy could not come to its end.
    """
    label, asked = LOOK_LABELS[role], {**parameters, "ONLY_LOOK_SECONDS": str(LOOK_SECONDS)}
    try:
        outcome = await _run_with_volume(restore, role, script, asked, label, LOOK_LIMIT)
    except (ScriptError, AwsRejectedError) as error:
        raise PartError(
            f"The {role.value} of tenant {restore.record.tenant} cannot be brought back: {error.what}",
            why="Nothing was overwritten by it: it was only looked at.",
            todo="Mend what the script complains about, then clear the task `open` of this run; or start another "
            "restore.",
            **error.ids,
        ) from error
    return outcome.answer()


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
    record = restore.record
    had_begun = begins is None or begins[0] in record.begun
    if begins:
        await restore.change(lambda r: r.beginning_on(*begins))
    try:
        outcome = await _run_with_volume(restore, role, script, parameters, COPY_LABELS[role], int(limit))
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


async def _run_with_volume(
    restore: LeasedRestore, role: SnapshotRole, script: str, parameters: dict[str, str], label: str, limit: int
) -> Outcome:
    """Run a script that reads from the volume of `role` on the host that it is attached to."""
    record, settings = restore.record, restore.vault.settings
    host, volume_id = host_of(record.plan.target, role), record.volumes.get(role.value)
    if volume_id is None:
        raise PartError("The restore has no volume to copy from.", todo="Clear the task `open` of this run.")
    volume = await Ebs.of(settings).volume(volume_id)
    # Where look-ups lag, its serial number has to do.
    device = {"DEVICE": volume.device, "VOLUME_GIB": str(volume.size_gib)} if volume else {}
    return await Hosts.of(settings, restore.lease.check).run(
        host.instance,
        host.platform,
        script,
        {"VOLUME_ID": volume_id, "MOUNT_NAME": mount_name(volume_id), **device, **parameters},
        label=settings.run_label(f"{record.id} {label}"),
        limit=limit,
    )
