"""Which folder of a web snapshot comes back: the one that the path led to in it, and never another tenant's.

The path of a site is often a link (`current` to `releases/42`). The look before the snapshot may be some minutes older
or younger than the bytes, and a deployment between the two; what the link in the snapshot says was so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.register.grounds import Grounds
from include.rules.register.shared_volumes import have_folders_in_common
from include.rules.register.tenants import Tenant
from include.rules.restore.survey import not_restorable


def said_folder(point: Manifest) -> str:
    """The tenant's folder as its path says, relative to the volume's root; "." for the root itself."""
    return point.source.web.path_on_volume or "."


def seen_folder(point: Manifest) -> str:
    """Where the look before the snapshot has seen it, likewise; empty where the path says, and where nobody has looked.

    It is what there is where the snapshot has no link: a mount that shows a folder in another place is in none.
    """
    look = point.looks.get(PartName.WEB_SNAPSHOT)
    return look.folder if look else ""


def check_source(
    point: Manifest, folder: str, known: Iterable[Tenant], *, around: str = "", suggestion: str = ""
) -> None:
    """Refuse to bring back what is, holds or lies in the ground of another tenant of the point's volume.

    Args:
        folder: Where the path led, relative to the volume's root.
        known: Tenants, of today or of the time of the snapshot, wherever they live.
        around: Where the folder around the path led, likewise; empty where nobody has looked.
        suggestion: A sentence that names another recovery point.

    Raises:
        RefusedError: which names the other tenant.
    """
    own = point.source
    # Whoever has the very same place has it now, or is this tenant under another name: it was kept apart at that time.
    others = [one for one in known if one.id != own.id and not have_folders_in_common(own, one)]
    led = (str(PurePosixPath(said_folder(point)).parent), around) if around else None
    neighbour = Grounds.of(own.web.volume, [own, *others], led=led).neighbour(own, folder)
    if neighbour:
        raise not_restorable(
            point,
            f"in its web_snapshot {own.web.path} leads to {folder} on volume {own.web.volume}, where tenant "
            f"{neighbour} lives, whose files it would hand out",
            f"Find out who has led the link there, and restore another recovery point. {suggestion}".rstrip(),
        )


def describe_source(point: Manifest, folder: str) -> str:
    """A sentence for the report where the snapshot says otherwise than the look before it; empty where both agree."""
    seen = seen_folder(point)
    if folder == (seen or said_folder(point)):
        return ""
    before = f"; the look before it had seen {seen}" if seen else ""
    return f"In the snapshot {point.source.web.path} leads to {folder} on the volume: that is taken{before}."
