"""The steps of a restore on the lab's servers: what comes back, what is refused, and what a crash leaves of it."""

from __future__ import annotations

import asyncio

import pytest

from include.backups.errors import ConfigurationError, LeaseBusyError, PartError, RefusedError
from include.backups.restores import RestoreRecord, RestoreState
from perennial.triggers.restore import CloseRestoreTrigger, OpenRestoreTrigger
from perennial.triggers.restore_database import RestoreDatabaseTrigger
from perennial.triggers.restore_files import CopyFilesTrigger
from perennial.triggers.restore_volume import AttachSnapshotVolumeTrigger
from tests.support.trees import fingerprint, furnish, wreck_files
from tests.support.triggers import CutOff
from tests.support.world import OPEN, RESTORE, World

pytestmark = pytest.mark.lab

TODAY = "acme|daily|2026-11-23"
RESTORE_ID = "acme-restore-20261123T120000Z"


def wreck(world: World) -> None:
    """Wreck the tenant's files and drop its table."""
    wreck_files(world.site("acme"))
    world.sql.run("DROP TABLE dbo.orders", database=world.entries["acme"]["database"]["name"])


@pytest.fixture
def backed_up(world: World) -> World:
    """A tenant with real files and rows, and one verified recovery point of it."""
    furnish(world.site("acme"))
    world.back_up(TODAY)
    return world


def record(world: World) -> RestoreRecord:
    version = world.runner.run(world.vault.restores.get("acme", RESTORE_ID))
    assert version
    return version.value


def volumes_left(world: World) -> list[str]:
    filters = [{"Name": "tag:perennial:restore", "Values": [RESTORE_ID]}]
    filters.append({"Name": "tag:perennial:vault", "Values": [world.vault.settings.vault]})
    found = world.cloud.client("ec2").describe_volumes(Filters=filters)["Volumes"]
    return [volume["VolumeId"] for volume in found]


def access(world: World) -> tuple[object, ...]:
    name = world.entries["acme"]["database"]["name"]
    return world.sql.run(f"SELECT state_desc, user_access_desc FROM sys.databases WHERE name = N'{name}'")[0]


def assert_all_is_back(world: World, files: dict[str, tuple[object, ...]], rows: list[tuple[object, ...]]) -> None:
    assert fingerprint(world.site("acme")) == files
    assert world.rows("acme") == rows
    assert access(world) == ("ONLINE", "MULTI_USER")
    assert volumes_left(world) == []
    assert list((world.cloud.host_path(world.entries["acme"]["web"]["instance"], "/tmp")).iterdir()) == []
    assert world.lease("acme").owner is None


def test_files_and_rows_come_back_as_they_were(backed_up: World) -> None:
    files, rows = fingerprint(backed_up.site("acme")), backed_up.rows("acme")
    wreck(backed_up)
    assert fingerprint(backed_up.site("acme")) != files
    said = backed_up.restore()
    assert_all_is_back(backed_up, files, rows)
    assert said["recovery_point"] == "acme-daily-20261123"
    assert record(backed_up).state is RestoreState.DONE
    assert [step.name for step in record(backed_up).steps] == [
        "attach_volume",
        "copy_files",
        "restore_database",
        "check",
        "remove_volume",
    ]


def test_a_database_that_was_dropped_comes_back(backed_up: World) -> None:
    rows = backed_up.rows("acme")
    backed_up.sql.run(f"DROP DATABASE [{backed_up.entries['acme']['database']['name']}]")
    backed_up.restore()
    assert backed_up.rows("acme") == rows


def test_a_database_in_use_is_restored_all_the_same(backed_up: World) -> None:
    rows = backed_up.rows("acme")
    with backed_up.sql.connect(backed_up.entries["acme"]["database"]["name"]):
        backed_up.restore()
    assert backed_up.rows("acme") == rows


def test_an_older_point_is_restored_when_it_is_named(backed_up: World) -> None:
    files = fingerprint(backed_up.site("acme"))
    (backed_up.site("acme") / "index.html").write_text("a day later")
    backed_up.back_up("acme|daily|2026-11-24")
    backed_up.restore(recovery_point="acme-daily-20261123")
    assert fingerprint(backed_up.site("acme")) == files


@pytest.mark.parametrize(
    ("form", "error", "message"),
    [
        ({"confirm": "yes"}, ConfigurationError, "does not repeat the tenant's name"),
        ({"tenant": "nobody", "confirm": "nobody"}, ConfigurationError, "There is no tenant 'nobody'"),
        ({"tenant": "../x", "confirm": "../x"}, ConfigurationError, "is not a tenant id"),
        ({"recovery_point": "acme-daily-19990101"}, RefusedError, "has no recovery point 'acme-daily-19990101'"),
    ],
)
def test_what_must_not_be_restored_is_refused_and_nothing_touched(
    backed_up: World, form: dict[str, str], error: type[Exception], message: str
) -> None:
    files = fingerprint(backed_up.site("acme"))
    with pytest.raises(error, match=message):
        backed_up.restore(**form)
    assert fingerprint(backed_up.site("acme")) == files
    assert backed_up.lease("acme").owner is None


def test_a_busy_tenant_is_not_restored_and_the_holder_is_named(backed_up: World) -> None:
    backed_up.run(OPEN, "acme|manual|2026-11-23T11:00:00Z", "run-2")
    with pytest.raises(LeaseBusyError, match=r"Tenant acme is busy: a backup holds its lease.*run-2"):
        backed_up.restore()


def test_a_backup_waits_while_the_tenant_is_being_restored(backed_up: World) -> None:
    backed_up.runner.run(backed_up.restore_step(OpenRestoreTrigger).work_within_deadline())
    with pytest.raises(LeaseBusyError, match="a restore holds its lease"):
        backed_up.run(OPEN, "acme|manual|2026-11-23T11:00:00Z", "run-2")


@pytest.mark.timeout(900)
def test_a_restore_cut_off_at_any_await_and_begun_again_ends_right(backed_up: World) -> None:
    files, rows = fingerprint(backed_up.site("acme")), backed_up.rows("acme")
    # Every third await, because each restore takes half a second.
    for suspension in range(1, 400, 3):
        (backed_up.site("acme") / "index.html").write_text("HACKED")
        form = {"moment": f"2026-11-23T12:{suspension // 60:02}:{suspension % 60:02}Z"}
        reached = []
        for step in RESTORE:
            trigger = backed_up.restore_step(step, **form)
            cut = backed_up.runner.run(CutOff.run(trigger.work_within_deadline(), suspension))
            if cut:
                backed_up.runner.run(backed_up.restore_step(step, **form).work_within_deadline())
            reached.append(cut)
        assert_all_is_back(backed_up, files, rows)
        if not any(reached):
            break
    else:
        pytest.fail("the steps never came to their end")
    assert suspension > 20


def test_a_run_marked_failed_during_the_copy_leaves_no_volume_and_says_what_is_where(backed_up: World) -> None:
    async def mark_failed() -> str:
        for step in (OpenRestoreTrigger, AttachSnapshotVolumeTrigger):
            await backed_up.restore_step(step).work_within_deadline()
        copy = backed_up.restore_step(CopyFilesTrigger)
        task = asyncio.create_task(copy.work_within_deadline())
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await copy.on_kill()
        with pytest.raises(PartError) as caught:
            await backed_up.restore_step(CloseRestoreTrigger).work_within_deadline()
        return str(caught.value)

    message = backed_up.runner.run(mark_failed())
    assert f"Restore {RESTORE_ID} of tenant acme was not completed: The run was ended" in message
    assert "(attach_volume) Volume vol-" in message
    assert "may be partly old and partly restored." in message
    assert volumes_left(backed_up) == []
    assert record(backed_up).state is RestoreState.FAILED
    assert backed_up.lease("acme").owner is None


def test_users_are_let_in_again_when_the_backup_file_is_damaged(backed_up: World) -> None:
    vault, s3, rows = backed_up.vault, backed_up.storage.client(), backed_up.rows("acme")
    key = vault.documents.prefix + backed_up.files(TODAY)[0]
    body = bytearray(s3.get_object(Bucket=vault.documents.bucket, Key=key)["Body"].read())
    body[-2000] ^= 0xFF
    s3.put_object(Bucket=vault.documents.bucket, Key=key, Body=bytes(body))

    async def restore() -> str:
        for step in (OpenRestoreTrigger, AttachSnapshotVolumeTrigger):
            await backed_up.restore_step(step).work_within_deadline()
        with pytest.raises(PartError, match="The database of tenant acme was not restored"):
            await backed_up.restore_step(RestoreDatabaseTrigger).work_within_deadline()
        with pytest.raises(PartError) as caught:
            await backed_up.restore_step(CloseRestoreTrigger).work_within_deadline()
        return str(caught.value)

    message = backed_up.runner.run(restore())
    assert volumes_left(backed_up) == []
    if access(backed_up)[0] == "ONLINE":
        assert access(backed_up) == ("ONLINE", "MULTI_USER")
        assert backed_up.rows("acme") == rows
    else:
        assert f"is {access(backed_up)[0]}" in message


def test_a_folder_that_the_snapshot_does_not_have_stops_the_copy_before_anything_is_overwritten(
    world: World,
) -> None:
    world.back_up(TODAY)
    other = world.site("acme").with_name("other")
    other.mkdir()
    (other / "keep.txt").write_text("keep")
    manifest = world.manifest(TODAY)
    web = manifest.source.web.model_copy(update={"path": manifest.source.web.mount + "/never-there"})
    version = world.runner.run(world.vault.points.get("acme", manifest.id))
    assert version
    changed = manifest.model_copy(update={"source": manifest.source.model_copy(update={"web": web})})
    world.runner.run(world.vault.points.replace(changed, version.etag))
    with pytest.raises(PartError, match=r"has no folder never-there; nothing was overwritten"):
        world.restore()
    assert (world.site("acme") / "index.html").read_text() == "welcome to acme"


def test_one_damaged_manifest_stands_in_the_way_of_no_other_point(backed_up: World) -> None:
    vault, s3 = backed_up.vault, backed_up.storage.client()
    for point, body in (("acme-daily-20250101", b"{not json"), ("acme-daily-20250102", b'{"version": 2}')):
        key = f"{vault.documents.prefix}recovery-points/acme/{point}/manifest.json"
        s3.put_object(Bucket=vault.documents.bucket, Key=key, Body=body)
        with pytest.raises(PartError, match=f"{point}/manifest.json"):
            backed_up.restore(recovery_point=point)
    (backed_up.site("acme") / "index.html").write_text("HACKED")
    assert backed_up.restore(recovery_point="acme-daily-20261123")["recovery_point"] == "acme-daily-20261123"
    assert backed_up.restore(moment="2026-11-23T13:00:00Z")["recovery_point"] == "acme-daily-20261123"


def test_a_restore_that_is_cut_off_while_it_opens_gives_the_lease_back(backed_up: World) -> None:
    async def open_and_end() -> None:
        trigger = backed_up.restore_step(OpenRestoreTrigger)
        await trigger.work_within_deadline()
        await trigger.on_kill()

    backed_up.runner.run(open_and_end())
    assert backed_up.lease("acme").owner is None
