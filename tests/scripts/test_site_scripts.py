"""Taking a site offline and online again, and looking at a folder: on a real host of the lab."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest

from tests.support.host_scripts import IS_ROOT, MARKER, HostWithVolume, another_disk
from tests.support.trees import fingerprint, furnish

pytestmark = pytest.mark.lab

OWNER = (4711, 4712) if IS_ROOT else (os.geteuid(), os.getegid())
"""A web server's account; who is not root has files of its own alone."""
RESTORE = "acme-restore-20261123T120000Z"
CONTENT = f'<p>"Back soon" & so on: $(id) `id` <!-- {RESTORE} -->\nümläut</p>'


def offline(host: HostWithVolume, create: str = "no") -> object:
    answer = host.ask("site_offline", SITE=str(host.site), CONTENT=CONTENT, RESTORE_ID=RESTORE, CREATE=create)
    return answer["site"]


def online(host: HostWithVolume) -> object:
    return host.ask("site_online", SITE=str(host.site), RESTORE_ID=RESTORE)["site"]


def test_a_site_goes_offline_and_online_again_however_often_it_is_asked(host: HostWithVolume) -> None:
    host.site.chmod(0o750)
    os.chown(host.site, *OWNER)
    marker = host.site / MARKER
    assert [offline(host), offline(host)] == ["offline", "offline"]
    assert marker.read_text() == CONTENT + "\n"
    status = marker.stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o644, *OWNER)
    assert [online(host), online(host)] == ["online", "was online already"]
    assert list(host.site.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_marker_of_somebody_else_is_left_as_it_is(host: HostWithVolume, kind: str) -> None:
    marker = host.site / MARKER
    if kind == "file":
        marker.write_text("closed for the holidays")
    elif kind == "link":
        marker.symlink_to("/nowhere/at/all")
    else:
        marker.mkdir()
    before = fingerprint(host.site)
    assert offline(host) == "was offline already"
    assert online(host) == "offline by somebody else"
    assert fingerprint(host.site) == before


@pytest.mark.parametrize(
    ("earlier", "becomes_its_own"),
    [
        ("acme-restore-20261122T120000Z", True),
        ("my-acme-restore-20261122T120000Z", False),
        ("acme-restore-notes", False),
    ],
)
def test_a_marker_of_an_earlier_restore_of_the_same_tenant_becomes_the_restores_own(
    host: HostWithVolume, earlier: str, becomes_its_own: bool
) -> None:
    marker = host.site / MARKER
    marker.write_text(f"<!-- {earlier} -->")
    if becomes_its_own:
        assert (offline(host), marker.read_text()) == ("offline", CONTENT + "\n")
        assert online(host) == "online"
        assert list(host.site.iterdir()) == []
    else:
        assert [offline(host), online(host)] == ["was offline already", "offline by somebody else"]


def test_what_a_killed_attempt_has_left_is_taken_away(host: HostWithVolume) -> None:
    part = host.site / f".{MARKER}.{RESTORE}.part"
    part.write_text("half a mark")
    assert offline(host) == "offline"
    assert [path.name for path in host.site.iterdir()] == [MARKER]
    part.write_text("half a mark")
    assert online(host) == "online"
    assert list(host.site.iterdir()) == []


def test_a_site_without_a_folder_is_told_and_made_only_on_request(host: HostWithVolume) -> None:
    host.site.rmdir()
    assert [offline(host), online(host)] == ["no folder", "no folder"]
    assert not host.site.exists()
    assert offline(host, create="yes") == "offline"
    assert (host.site / MARKER).read_text() == CONTENT + "\n"


def test_a_content_that_does_not_name_the_restore_is_refused(host: HostWithVolume) -> None:
    said = host.refusal("site_offline", SITE=str(host.site), CONTENT="closed", RESTORE_ID=RESTORE, CREATE="no")
    assert f"does not name the restore {RESTORE}" in said
    assert list(host.site.iterdir()) == []


def inspect(host: HostWithVolume, seconds: str = "30", target: str = "") -> dict[str, object]:
    return host.ask("inspect_folder", TARGET=target or str(host.site), COUNT_SECONDS=seconds)


def test_looking_at_a_folder_counts_files_and_bytes_and_changes_nothing(host: HostWithVolume) -> None:
    furnish(host.site)
    before = fingerprint(host.site)
    files = [path for path in host.site.rglob("*") if path.is_file() and not path.is_symlink()]
    found = inspect(host)
    free = found.pop("free_bytes")
    assert isinstance(free, int)
    assert free == pytest.approx(shutil.disk_usage(host.site).free, rel=0.05)
    assert int(str(found.pop("free_inodes"))) > 0
    assert found == {
        "exists": True,
        "writable": True,
        "no_folder": False,
        "real": str(host.site),
        "mounts": [],
        "empty": False,
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "counted": True,
        "marker": None,
    }
    assert fingerprint(host.site) == before


def test_a_folder_that_is_not_there_is_told_with_the_room_above_it(host: HostWithVolume) -> None:
    found = inspect(host, target=str(host.site / "not" / "there"))
    assert (found["exists"], found["empty"], found["files"]) == (False, True, 0)
    assert isinstance(found["free_bytes"], int)
    assert found["free_bytes"] > 0


def test_a_folder_is_empty_when_only_the_marker_lies_in_it_and_the_marker_tells_whose_it_is(
    host: HostWithVolume,
) -> None:
    offline(host)
    assert (inspect(host)["empty"], inspect(host)["marker"]) == (True, RESTORE)
    (host.site / MARKER).write_text("closed for the holidays")
    assert (inspect(host)["empty"], inspect(host)["files"], inspect(host)["marker"]) == (True, 0, "unknown")


def test_counting_that_takes_too_long_is_given_up_and_said_so(host: HostWithVolume) -> None:
    for folder in range(300):
        (host.site / f"folder {folder}").mkdir()
        for file in range(20):
            (host.site / f"folder {folder}" / str(file)).touch()
    assert inspect(host, seconds="0.001")["counted"] is False
    assert inspect(host)["files"] == 6000


def test_a_folder_whose_files_go_while_it_is_looked_at_is_not_counted_and_not_refused(host: HostWithVolume) -> None:
    (host.site / "index.html").write_text("x")
    programs = host.cloud.host_path(host.instance, "/programs")
    programs.mkdir()
    # find (findutils) ends with 1 when something that it was about to look into has gone.
    (programs / "find").write_text('#!/bin/sh\n/usr/bin/find "$@"\ncase "$*" in *-printf*) exit 1 ;; esac\n')
    (programs / "find").chmod(0o755)
    found = inspect(replace(host, path=f"{programs}:$PATH"))
    assert (found["exists"], found["empty"], found["counted"]) == (True, False, False)


def test_a_file_in_the_place_of_the_folder_is_told(host: HostWithVolume) -> None:
    plain, nowhere = host.site / "plain", host.site / "nowhere"
    plain.write_text("x")
    nowhere.symlink_to("gone")
    for path in (plain, nowhere):
        found = inspect(host, target=str(path))
        assert (found["exists"], found["no_folder"]) == (False, True)


def test_where_links_lead_and_what_is_mounted_below_is_told(host: HostWithVolume) -> None:
    odd = host.site / 'up "loads" \\ of today'
    odd.mkdir()
    link = host.site.parent / "link"
    link.symlink_to(host.site)
    with another_disk(odd):
        found = inspect(host, target=str(link))
        assert (found["exists"], found["real"], found["mounts"]) == (True, str(host.site), [odd.name])
        assert inspect(host, target=str(odd))["mounts"] == []
    assert inspect(host, target=str(link / "new"))["real"] == str(host.site / "new")
