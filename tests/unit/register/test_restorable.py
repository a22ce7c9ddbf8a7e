"""What is said of a host that could not do its part of a restore."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.rules.register.findings import Weight
from include.rules.register.restorable import HostTools, judge_tools
from tests.unit.builders import tenant

GOOD = HostTools((), True, "3.2.7", "ext4", "/dev/nvme1n1p1", True)


def test_a_host_that_has_everything_is_not_spoken_of() -> None:
    for sound in (GOOD, replace(GOOD, file_system="xfs"), replace(GOOD, rsync="3.1.3"), replace(GOOD, rsync="4.0")):
        assert judge_tools(tenant().web, sound) == ()


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"missing": ("cmp", "lsblk")}, "host i-00000001 lacks what a restore needs: cmp, lsblk"),
        ({"finds_disks": False}, "does not say which disk is which"),
        ({"free_letter": False}, "has no free drive letter"),
        ({"file_system": "btrfs"}, "both have one id (/dev/nvme1n1p1 of host i-00000001)"),
        ({"file_system": "zfs", "device": "tank"}, "no copy of a pool beside the original (tank"),
        ({"device": "/dev/mapper/vg-site"}, "LVM and other mapped devices"),
        ({"device": "/dev/dm-0"}, "LVM and other mapped devices"),
    ],
)
def test_what_a_restore_would_fail_for_is_a_difference(changes: dict[str, Any], fact: str) -> None:
    (found,) = judge_tools(tenant().web, replace(GOOD, **changes))
    assert found.weight is Weight.DIFFERENCE
    assert fact in found.fact


@pytest.mark.parametrize(("version", "fact"), [("3.1.2", "rsync 3.1.2, which compares whole"), ("", "no rsync")])
def test_an_rsync_that_compares_less_is_a_note_on_linux_alone(version: str, fact: str) -> None:
    (found,) = judge_tools(tenant().web, replace(GOOD, rsync=version))
    assert (found.weight, fact in found.fact) == (Weight.NOTE, True)
    windows = tenant().web.model_copy(update={"platform": "windows"})
    assert judge_tools(windows, replace(GOOD, rsync="", file_system="NTFS", device="D:\\")) == ()
