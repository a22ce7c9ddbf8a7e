"""Where the tenant's folder is on a volume: what the links in the snapshot say, and never off the volume."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.rules.register.tenants import Platform
from lab.cloud.hosts import host_environment
from lab.testing.deadlines import within
from perennial.hooks.aws.host_scripts import script_lines
from tests.support.host_scripts import PLACES

SHOWN_AT = "/srv/shared"


@dataclass(frozen=True)
class Host:
    """A host with a volume from a snapshot attached, without a cloud around it."""

    root: Path
    volume: Path

    @property
    def target(self) -> Path:
        return self.root / "srv" / "site"

    def release(self, folder: str) -> None:
        """Let a folder on the volume hold a file that says which one it is."""
        (self.volume / folder).mkdir(parents=True)
        (self.volume / folder / "index.html").write_text(folder)

    def link(self, path: str, to: str) -> None:
        (self.volume / path).parent.mkdir(parents=True, exist_ok=True)
        (self.volume / path).symlink_to(to)

    def copy(self, **parameters: str) -> subprocess.CompletedProcess[str]:
        asked = {**PLACES, "VOLUME_ID": "vol-0a", "TARGET": str(self.target), "PATHS": "", "MUST_BE_NEW": "no"}
        return subprocess.run(
            ["/bin/sh"],
            input="\n".join(script_lines(Platform.LINUX, "copy_tree", {**asked, **parameters})),
            cwd=self.root,
            env=host_environment(self.root),
            capture_output=True,
            text=True,
            timeout=within(60),
        )

    def around(self, source: str) -> str:
        """Where the folder around a source is, as a look finds it."""
        done = self.copy(SOURCE=source, SHOWN_AT=SHOWN_AT, ONLY_LOOK_SECONDS="60")
        return str(json.loads(done.stdout.splitlines()[-1])["around"])

    def look(self, source: str = "acme/current", seen_at: str = "", shown_at: str = SHOWN_AT) -> str:
        """The folder that a look finds; or its refusal."""
        done = self.copy(SOURCE=source, SEEN_AT=seen_at, SHOWN_AT=shown_at, ONLY_LOOK_SECONDS="60")
        if done.returncode:
            assert (done.returncode, done.stderr.strip().endswith("; nothing was overwritten.")) == (3, True)
            return done.stderr.strip()
        return str(json.loads(done.stdout.splitlines()[-1])["folder"])


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path / "host", tmp_path / "vol-0a")
    for folder in ("dev", "tmp", "srv"):
        (made.root / folder).mkdir(parents=True)
    for folder in ("acme/releases/42", "acme/releases/43", "globex/site"):
        made.release(folder)
    (made.root / "dev" / "sdg").symlink_to(made.volume)
    return made


def test_a_folder_that_is_no_link_is_taken_where_the_path_says(host: Host) -> None:
    assert host.look("globex/site") == "globex/site"
    assert host.look(".") == "."


@pytest.mark.parametrize(
    "to", ["releases/43", f"{SHOWN_AT}/acme/releases/43", "../acme//./releases/43/", "../acme/releases/42/../43"]
)
def test_the_link_in_the_snapshot_says_which_release_it_was_and_not_the_look(host: Host, to: str) -> None:
    host.link("acme/current", to)
    assert host.look(seen_at="acme/releases/42") == "acme/releases/43"
    assert host.look() == "acme/releases/43"


def test_links_are_followed_from_one_to_the_next_and_on_the_way(host: Host) -> None:
    host.link("acme/current", "newest/43")
    host.link("acme/newest", f"{SHOWN_AT}/acme/releases")
    assert host.look() == "acme/releases/43"


def test_a_look_says_where_the_folder_around_is_before_the_sites_own_link(host: Host) -> None:
    host.link("acme/current", "releases/43")
    host.link("www", "acme")
    assert host.look("www/current") == "acme/releases/43"
    assert [host.around(source) for source in ("www/current", "acme/current", "acme", ".")] == [
        "acme",
        "acme",
        ".",
        ".",
    ]


def test_where_the_snapshot_has_no_link_that_leads_somewhere_the_look_says_where(host: Host) -> None:
    (host.volume / "acme" / "current").mkdir()  # something else was mounted on it
    assert host.look(seen_at="acme/releases/42") == "acme/releases/42"
    assert host.look() == "acme/current"
    (host.volume / "acme" / "current").rmdir()
    assert host.look(seen_at="acme/releases/42") == "acme/releases/42"
    host.link("acme/current", "releases/44")
    assert host.look(seen_at="acme/releases/42") == "acme/releases/42"
    assert "has no folder acme/releases/44" in host.look()


@pytest.mark.parametrize(
    "to", ["/etc", "/srv/sharedelsewhere", f"{SHOWN_AT}/../other", "../../shared/acme/releases/43", "/", "/srv"]
)
def test_a_link_that_leads_off_the_volume_is_refused_though_it_may_come_back(host: Host, to: str) -> None:
    host.link("acme/current", to)
    assert "leads off the volume" in host.look(seen_at="acme/releases/42")


def test_a_link_by_another_name_of_the_mount_point_leads_where_it_was_seen_to_lead(host: Host) -> None:
    host.link("acme/current", "/mnt/v1/acme/releases/42")
    assert host.look(seen_at="acme/releases/42") == "acme/releases/42"
    assert "leads off the volume, to /mnt/v1/acme/releases/42" in host.look(seen_at="acme/releases/41")


def test_a_link_that_leads_to_itself_is_refused(host: Host) -> None:
    host.link("acme/current", "current")
    assert "leads to itself" in host.look()


def test_a_copy_follows_no_link(host: Host) -> None:
    host.link("acme/current", "../globex/site")
    host.link("initech", "globex")
    for source in ("acme/current", "initech/site"):
        for parameters in ({}, {"SEEN_AT": "acme/releases/42"}):
            done = host.copy(SOURCE=source, **parameters)
            assert (done.returncode, "is a link, where a folder was to be" in done.stderr) == (3, True)
            assert not host.target.exists()
    assert host.copy(SOURCE="acme/releases/42").returncode == 0
    assert (host.target / "index.html").read_text() == "acme/releases/42"


def test_where_it_was_seen_has_to_be_a_real_folder(host: Host) -> None:
    host.link("acme/seen", "../globex")
    assert "'acme/seen' on the volume vol-0a is a link" in host.look("acme/mounted", seen_at="acme/seen/site")
