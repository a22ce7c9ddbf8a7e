"""Looks at what a restore overwrites: while the site is still online, and once more right before the files change."""

from __future__ import annotations

import asyncio

from include.rules.errors import RefusedError
from include.rules.points.parts import SnapshotRole
from include.rules.register.findings import Weight, of_weight
from include.rules.restore.plan import RestorePlan, roles_kept_safe
from perennial.backup.look import look_and_confirm
from perennial.hooks.freshness import Freshness
from perennial.settings import Settings


async def check_can_be_kept_safe(settings: Settings, plan: RestorePlan, database_state: str) -> None:
    """Refuse a restore whose safety point would be refused, or would be of another volume than the restore overwrites.

    It looks anew, as the safety point does: restores are rare, and a site that goes offline for nothing is not cheap.

    Args:
        database_state: Of the database that is overwritten, as sys.databases names it; empty when there is none.

    Raises:
        RefusedError: when a volume is not as the register says, or nobody can say whether it is.
    """
    fresh = Freshness.within(0)
    roles = roles_kept_safe(plan, database_state)
    looks = (look_and_confirm(settings, plan.target, role, fresh, is_overwritten=True) for role in roles)
    findings = [finding for look in await asyncio.gather(*looks) for finding in look.findings]
    if bad := of_weight(Weight.DIFFERENCE, findings) or of_weight(Weight.NOT_LOOKED_AT, findings):
        raise RefusedError(
            f"What tenant {plan.target.id} has now cannot be kept safe: {'; '.join(one.text for one in bad)}.",
            why="Without a safety point nothing is overwritten; nothing was.",
            todo=" ".join(dict.fromkeys(one.todo for one in bad)),
        )


async def check_still_its_own(settings: Settings, plan: RestorePlan) -> None:
    """Refuse to overwrite a folder that is not the tenant's any more: the safety point may have taken hours, and
    whoever deploys the site may have led its link into a neighbour's folder meanwhile.

    Raises:
        RefusedError: when the volume or the folder is not as the register says, or nobody can say whether it is.
    """
    look = await look_and_confirm(settings, plan.target, SnapshotRole.WEB, Freshness.within(0), is_overwritten=True)
    if bad := of_weight(Weight.DIFFERENCE, look.findings) or of_weight(Weight.NOT_LOOKED_AT, look.findings):
        raise RefusedError(
            f"The files of tenant {plan.target.id} were not copied back: {'; '.join(one.text for one in bad)}.",
            why="It was looked at once more, after the safety point. Nothing was overwritten by it.",
            todo=f"{' '.join(dict.fromkeys(one.todo for one in bad))} Then clear the task `open` of this run.",
        )
