"""copy_database_files on a real host of the lab: whole files under new names, and never over somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.host_scripts import IS_ROOT, HostWithVolume

pytestmark = pytest.mark.lab

OWNER = (10001, 10001) if IS_ROOT else (os.geteuid(), os.getegid())
"""SQL Server's account in containers; who is not root has files of its own alone."""


@pytest.fixture
def data(host: HostWithVolume) -> Path:
    """The volume's folder with two files of a database."""
    folder = host.volume / "mssql" / "the data"
    folder.mkdir(parents=True)
    (folder / "shop.mdf").write_bytes(os.urandom(500_000))
    (folder / "shop_log.ldf").write_bytes(os.urandom(100_000))
    (folder / "shop.mdf").chmod(0o660)
    os.chown(folder / "shop.mdf", *OWNER)
    return folder


def files(host: HostWithVolume) -> str:
    return (
        f"mssql/the data/shop.mdf\t{host.site}/shop copy.mdf\nmssql/the data/shop_log.ldf\t{host.site}/shop_copy.ldf\n"
    )


def names(host: HostWithVolume) -> list[str]:
    return sorted(path.name for path in host.site.iterdir())


def test_the_files_arrive_whole_with_owner_and_mode_however_often_it_runs(host: HostWithVolume, data: Path) -> None:
    for _ in range(2):
        answer = host.ask("copy_database_files", FILES=files(host))
        assert (answer["files"], answer["bytes"]) == (2, 600_000)
        assert isinstance(answer["seconds"], float)
        assert names(host) == ["shop copy.mdf", "shop_copy.ldf"]
        assert (host.site / "shop copy.mdf").read_bytes() == (data / "shop.mdf").read_bytes()
        assert (host.site / "shop_copy.ldf").read_bytes() == (data / "shop_log.ldf").read_bytes()
        status = (host.site / "shop copy.mdf").stat()
        assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o660, *OWNER)


def test_what_an_interrupted_attempt_has_left_is_replaced(host: HostWithVolume, data: Path) -> None:
    (host.site / "shop copy.mdf").write_bytes((data / "shop.mdf").read_bytes())
    (host.site / "shop_copy.ldf.part").write_bytes(b"half")
    host.ask("copy_database_files", FILES=files(host))
    assert names(host) == ["shop copy.mdf", "shop_copy.ldf"]
    assert (host.site / "shop_copy.ldf").read_bytes() == (data / "shop_log.ldf").read_bytes()


def test_a_file_that_is_there_and_is_something_else_refuses_everything(host: HostWithVolume, data: Path) -> None:
    other = (data / "shop_log.ldf").read_bytes()[:-1] + b"\0\0"
    (host.site / "shop_copy.ldf").write_bytes(other)
    said = host.refusal("copy_database_files", FILES=files(host))
    assert "shop_copy.ldf exists and is not a copy of mssql/the data/shop_log.ldf; nothing was overwritten." in said
    assert names(host) == ["shop_copy.ldf"]
    assert (host.site / "shop_copy.ldf").read_bytes() == other


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(host: HostWithVolume, data: Path) -> None:
    with (data / "shop.mdf").open("wb") as sparse:
        sparse.truncate(1 << 43)
    said = host.refusal("copy_database_files", FILES=files(host))
    assert "bytes free and 8796093122208 are needed; nothing was overwritten." in said
    assert names(host) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("mssql/never-there.mdf\t{site}/x.mdf", "has no file mssql/never-there.mdf"),
        ("mssql\t{site}/x.mdf", "is no file"),
        ("mssql/passwd\t{site}/x.mdf", "leads off the volume"),
        ("../" * 40 + "etc/passwd\t{site}/x.mdf", "leads off the volume"),
        ("mssql/the data/shop.mdf\tx.mdf", "'x.mdf' is not an absolute path"),
        ("mssql/the data/shop.mdf\t{site}/../x.mdf", "is not the path of a file"),
        ("mssql/the data/shop.mdf\t{site}/nowhere/x.mdf", "nowhere/x.mdf does not exist"),
        ("mssql/the data/shop.mdf\t{site}/x.mdf\nmssql/the data/shop_log.ldf\t{site}/x.mdf", "x.mdf is named twice"),
        ("", "No file was named"),
    ],
)
def test_what_cannot_be_copied_refuses_everything(host: HostWithVolume, data: Path, line: str, message: str) -> None:
    (host.volume / "mssql" / "passwd").symlink_to("/etc/passwd")
    assert message in host.refusal("copy_database_files", FILES=line.format(site=host.site))
    assert names(host) == []
