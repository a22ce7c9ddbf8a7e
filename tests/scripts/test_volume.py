"""What the scripts that read from a volume share: finding its disk among those of the host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from include.rules.register.tenants import Platform
from lab.cloud.hosts import host_environment
from lab.testing.deadlines import within
from perennial.hooks.aws.host_scripts import script_lines
from tests.support.host_scripts import PLACES


def test_the_disk_is_found_by_its_serial_number_also_where_device_paths_have_spaces(tmp_path: Path) -> None:
    host = tmp_path / "my project" / "hosts" / "i-0a"
    for folder in ("dev", "tmp", "srv"):
        (host / folder).mkdir(parents=True)
    for device, volume_id in (("sdf", "vol-0a"), ("sdg", "vol-0b")):
        volume = tmp_path / "my project" / "volumes" / volume_id
        (volume / "site").mkdir(parents=True)
        (volume / "site" / "index.html").write_text(volume_id)
        (host / "dev" / device).symlink_to(volume)
    parameters = {
        **PLACES,
        "VOLUME_ID": "vol-0b",
        "SOURCE": "site",
        "TARGET": str(host / "srv" / "site"),
        "PATHS": "",
        "MUST_BE_NEW": "no",
    }

    done = subprocess.run(
        ["/bin/sh"],
        input="\n".join(script_lines(Platform.LINUX, "copy_tree", parameters)),
        cwd=host,
        env=host_environment(host),
        capture_output=True,
        text=True,
        timeout=within(60),
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["files"] == 1
    assert (host / "srv" / "site" / "index.html").read_text() == "vol-0b"
