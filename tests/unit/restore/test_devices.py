"""Device names for the volumes of a restore."""

from __future__ import annotations

import pytest

from include.rules.errors import RefusedError
from include.rules.register.tenants import Platform
from include.rules.restore.devices import free_device, free_devices


def test_a_device_name_in_use_is_not_given_again_under_any_spelling() -> None:
    assert free_device(["/dev/sda1", "/dev/xvdf", "/dev/sdg", "sdh"]) == "/dev/sdi"
    assert free_device(["xvdf", "/dev/sdg"], Platform.WINDOWS) == "xvdh"


def test_a_host_without_a_free_device_name_is_refused() -> None:
    with pytest.raises(RefusedError, match="no free device name"):
        free_device(f"/dev/sd{letter}" for letter in "fghijklmnop")


def test_the_names_that_are_left_are_counted() -> None:
    assert free_devices([], Platform.LINUX)[0] == "/dev/sdf"
    assert free_devices([f"/dev/xvd{letter}" for letter in "fghijklmno"]) == ("/dev/sdp",)
