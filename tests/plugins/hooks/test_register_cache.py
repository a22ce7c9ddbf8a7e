"""The register is judged once for each change, whoever asks, and never from files that did not stand there together."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
import yaml

from include.rules.errors import ConfigurationError
from include.rules.register.register import Register
from lab.testing.cloud import LabCloud
from perennial.hooks import register_files
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.register import read_register
from perennial.settings import Settings
from tests.support.register_files import Files, files
from tests.support.vaults import VaultUnderTest
from tests.unit.builders import PLANS, tenant_entry

__all__ = ["files"]


async def test_a_thousand_steps_share_one_judgement_of_what_does_not_change(files: Files) -> None:
    files.write("acme", "globex")
    registers = await asyncio.gather(*(files.read() for _ in range(1000)))
    assert {id(one) for one in registers} == {id(registers[0])}
    files.age()
    assert await files.read() is registers[0]
    assert set(registers[0].tenants) == {"acme", "globex"}
    assert files.judged == 1


@pytest.mark.parametrize("fresh", [True, False])
async def test_a_change_in_a_folder_is_taken_up_by_the_next_step(files: Files, fresh: bool) -> None:
    files.write("acme")
    files.age()
    assert set((await files.read()).tenants) == {"acme"}
    files.write("acme", "globex")
    assert set((await read_register(files.settings, fresh=fresh)).tenants) == {"acme", "globex"}
    assert files.judged == 2


async def test_a_change_that_size_time_and_inode_do_not_show_is_taken_up_while_the_file_is_young(files: Files) -> None:
    files.write("acme")
    assert set((await files.read()).tenants) == {"acme"}
    path = files.folder / "tenants.yaml"
    before = path.stat()
    with path.open("r+b") as file:  # the same inode, as many bytes
        file.write(path.read_bytes().replace(b"acme", b"omni"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert set((await files.read()).tenants) == {"omni"}


async def test_a_file_that_is_being_written_is_read_when_it_is_complete(files: Files) -> None:
    files.write("acme", "globex", "initech")
    path = files.folder / "tenants.yaml"
    entries = path.read_text().split("- database")
    begun = threading.Event()

    def write_slowly() -> None:
        with path.open("w") as file:  # every part of it is a register of fewer tenants
            for entry in [entries[0] + "- database" + entries[1], *("- database" + one for one in entries[2:])]:
                file.write(entry)
                file.flush()
                begun.set()
                time.sleep(0.03)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    begun.wait()
    assert set((await files.read()).tenants) == {"acme", "globex", "initech"}
    writer.join()


def move_on(files: Files, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """While the first of the two files is read, write both anew, so often as `steps` says."""
    real, left = register_files._read, list(range(1, 1 + steps))

    async def read(settings: Settings, name: str, known: Any) -> Any:
        stored = await real(settings, name, known)
        if name == register_files.TENANTS and left:
            number = left.pop(0)
            files.write("acme", plans=(f"plan-{number}",))
        return stored

    monkeypatch.setattr(register_files, "_read", read)


async def test_two_files_that_never_stood_there_together_are_not_taken_for_a_register(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register_files, "QUIET", 0)  # they are replaced as a whole
    files.write("acme", plans=("plan-0",))
    move_on(files, monkeypatch, steps=3)
    read = await files.read()
    assert read.problems == ()
    assert read.tenants["acme"].plan.name == "plan-3"


async def test_files_that_never_stand_still_are_refused(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_files, "QUIET", 0)
    files.write("acme", plans=("plan-0",))
    move_on(files, monkeypatch, steps=1000)
    with pytest.raises(ConfigurationError, match=r"tenants\.yaml changed each of the 100 times that it was read"):
        await files.read()


async def test_what_is_wrong_is_said_to_all_who_wait_and_mended_for_the_next(files: Files) -> None:
    files.write("acme")
    files.replace("tenants.yaml", "tenants: [")
    outcomes = await asyncio.gather(*(files.read() for _ in range(50)), return_exceptions=True)
    assert all(isinstance(one, ConfigurationError) and "is no YAML" in str(one) for one in outcomes)
    files.write("acme")
    assert set((await files.read()).tenants) == {"acme"}


async def test_a_step_that_is_cancelled_takes_nobody_with_it(files: Files) -> None:
    files.write(*(f"t{number}" for number in range(200)))
    files.age()
    steps = [asyncio.ensure_future(files.read()) for _ in range(3)]
    await asyncio.sleep(0.01)
    steps[0].cancel()
    registers = await asyncio.gather(*steps, return_exceptions=True)
    assert isinstance(registers[0], asyncio.CancelledError)
    assert all(isinstance(one, Register) and len(one.tenants) == 200 for one in registers[1:])


def test_two_event_loops_share_what_either_has_judged(files: Files) -> None:
    files.write(*(f"t{number}" for number in range(200)))
    seen: list[Register] = []

    async def read() -> None:
        seen.extend(await asyncio.gather(*(files.read() for _ in range(20))))

    threads = [threading.Thread(target=asyncio.run, args=(read(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 80
    assert {len(one.tenants) for one in seen} == {200}
    assert files.judged <= 4  # at most once in each loop
    assert asyncio.run(files.read()) in seen


@pytest.mark.lab
def test_in_s3_only_a_changed_file_is_sent_again(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, s3 = moto_vault.settings.vault_bucket, lab_cloud.client("s3")
    settings = replace(moto_vault.settings, config=f"s3://{bucket}/register")
    answers = list[int]()

    def put(name: str, content: object) -> None:
        s3.put_object(Bucket=bucket, Key=f"register/{name}", Body=yaml.safe_dump(content).encode())

    def note(parsed: Any, http_response: Any, **_: Any) -> None:
        answers.append(http_response.status_code)

    async def read_three_times(_: object) -> None:
        client = await aws_client("s3", settings.aws_conn_id)
        client.meta.events.register("after-call.s3.GetObject", note)
        first = await read_register(settings)
        assert answers == [304]  # that the first of the two is the same still, after the second was read
        answers.clear()
        assert await read_register(settings) is first
        assert answers == [304, 304]
        answers.clear()
        await asyncio.gather(*(read_register(settings) for _ in range(100)))
        assert len(answers) <= 4  # those who come while one looks wait for the next look
        put("tenants.yaml", {"tenants": [tenant_entry("acme"), tenant_entry("globex", 2)]})
        answers.clear()
        assert await read_register(settings, fresh=False) is first
        assert answers == []
        assert set((await read_register(settings)).tenants) == {"acme", "globex"}

    put("plans.yaml", PLANS)
    put("tenants.yaml", {"tenants": [tenant_entry("acme")]})
    moto_vault.run(read_three_times)
