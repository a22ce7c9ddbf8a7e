"""The site is offline while a restore overwrites it, and online again after it."""

from __future__ import annotations

import threading
import time

import pytest

from include.rules.errors import PerennialError
from include.rules.restore.record import Site
from perennial.hooks.aws.host_scripts import OFFLINE_MARKER
from perennial.restore.files import CopyFilesTrigger
from tests.support.restores import (
    assert_all_is_back,
    assert_nothing_is_left,
    backed_up,
    is_offline,
    record,
    state,
    wreck,
)
from tests.support.steps import RESTORE
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

NAMES = [cls for cls, _ in RESTORE]


def test_the_site_is_offline_from_the_safety_point_to_the_check_and_its_marker_survives_the_copy(
    backed_up: World,
) -> None:
    files, rows = state(backed_up)
    wreck(backed_up)
    seen = {}
    for step in RESTORE:
        backed_up.run_restore_step(step)
        seen[step[0].__name__] = is_offline(backed_up)
    offline = [name for name, was in seen.items() if was]
    assert offline[0] == "TakeSiteOfflineTrigger"
    assert offline[-1] == "CheckRestoreTrigger"
    assert "CopyFilesTrigger" in offline
    assert_all_is_back(backed_up, (files, rows))


def test_a_marker_that_was_part_of_the_snapshot_does_not_come_back(world: World) -> None:
    (world.site("acme") / OFFLINE_MARKER).write_text("an update was going on")
    world.back_up("acme|daily|2026-11-23")
    (world.site("acme") / OFFLINE_MARKER).unlink()
    world.restore()
    assert_nothing_is_left(world)


def test_a_site_that_somebody_else_has_taken_offline_stays_so(backed_up: World) -> None:
    marker = backed_up.site("acme") / OFFLINE_MARKER
    marker.write_text("an update is going on")
    (backed_up.site("acme") / "index.html").write_text("HACKED")
    backed_up.restore()
    assert marker.read_text() == "an update is going on"
    assert (backed_up.site("acme") / "index.html").read_text() == "welcome to acme"
    assert "was offline already" in next(s.message for s in record(backed_up).steps if s.name == "take_site_offline")


def test_a_restore_that_fails_before_it_overwrites_anything_brings_the_site_online_again(backed_up: World) -> None:
    wrecked = wreck(backed_up)
    backed_up.cloud.add_fault("ec2:CreateSnapshot", code="UnauthorizedOperation", status=403, times=None)
    with pytest.raises(PerennialError, match="UnauthorizedOperation"):
        backed_up.restore()
    assert is_offline(backed_up)
    with pytest.raises(PerennialError, match="Tenant acme is as it was: nothing was overwritten"):
        backed_up.run_restore_step(RESTORE[-1])
    assert_all_is_back(backed_up, wrecked)
    assert record(backed_up).site is Site.ONLINE


def test_no_write_is_lost_between_the_safety_point_and_the_copy(backed_up: World) -> None:
    """Somebody uploads for as long as the site is online: every upload is in the live site or in the safety point."""
    site, stop, written = backed_up.site("acme"), threading.Event(), list[str]()

    def upload() -> None:
        number = 0
        while not stop.is_set():
            # As an application does that its server shuts down while the marker is there.
            if not is_offline(backed_up):
                name = f"upload-{number}.txt"
                (site / name).write_text(name)
                written.append(name)
                number += 1
            time.sleep(0.005)

    uploads = threading.Thread(target=upload)
    uploads.start()
    try:
        for step in RESTORE[: NAMES.index(CopyFilesTrigger)]:
            backed_up.run_restore_step(step)
    finally:
        stop.set()
        uploads.join()
    for step in RESTORE[NAMES.index(CopyFilesTrigger) :]:
        backed_up.run_restore_step(step)
    assert len(written) > 10
    backed_up.restore(recovery_point=record(backed_up).safety_point, moment="2026-11-23T13:00:00Z")
    missing_files = [name for name in written if not (site / name).exists()]
    assert missing_files in ([], written[-1:])  # the last one may have been written in the moment the marker came
