"""One policy for all AWS calls: what passes is sent again for a time, and what only looks like it is not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from include.rules.errors import UnavailableError
from include.rules.register.tenants import Platform
from lab.testing.cloud import LabCloud
from lab.testing.server import new_settings
from perennial.hooks.aws import host_scripts, objects
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.errors import AwsRejectedError, is_quota, is_throttled, is_transient, translate_errors
from perennial.hooks.aws.hosts import Hosts
from perennial.hooks.aws.retries import ANSWER_SECONDS, CONNECT_SECONDS, Retries
from perennial.hooks.vault.documents import DocumentStore
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings
from tests.support.vaults import VaultUnderTest, set_vault
from tests.support.waits import shorten


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "as ordered"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Any"
    )


@pytest.mark.parametrize(
    "code",
    [
        *("RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown"),
        *("SnapshotCreationPerVolumeRateExceeded", "ConcurrentSnapshotLimitExceeded", "PendingSnapshotLimitExceeded"),
        *("EC2ThrottledException", "RequestThrottled", "BandwidthLimitExceeded"),
    ],
)
def test_throttling_passes(code: str) -> None:
    assert is_throttled(refusal(code))
    assert is_transient(refusal(code))
    assert not is_quota(refusal(code))


@pytest.mark.parametrize(
    "code",
    [
        *("SnapshotLimitExceeded", "VolumeLimitExceeded", "AttachmentLimitExceeded", "MaxIOPSLimitExceeded"),
        *("ResourceLimitExceeded", "TagLimitExceeded", "LimitExceededException", "ServiceQuotaExceededException"),
    ],
)
def test_a_full_quota_does_not_pass_and_says_what_to_do(code: str) -> None:
    assert is_quota(refusal(code))
    assert not is_transient(refusal(code))
    with pytest.raises(AwsRejectedError, match="higher quota"), translate_errors("It failed", todo="Look at the host."):
        raise refusal(code)


@pytest.mark.parametrize(
    "error",
    [
        refusal("InternalError", 500),
        refusal("Unavailable", 503),
        refusal("RequestTimeout"),
        ConnectTimeoutError(endpoint_url="https://ec2"),
        EndpointConnectionError(endpoint_url="https://ec2"),
    ],
)
def test_a_fault_of_amazons_and_silence_pass(error: Exception) -> None:
    assert is_transient(error)
    with pytest.raises(UnavailableError, match="Wait until AWS answers"), translate_errors("It failed"):
        raise error


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "InvalidVolume.NotFound", "AccessDenied", "ValidationError"])
def test_what_aws_does_not_accept_as_it_is_does_not_pass(code: str) -> None:
    assert not is_transient(refusal(code))
    with pytest.raises(AwsRejectedError, match=r"Look at the host\."), translate_errors("It", todo="Look at the host."):
        raise refusal(code)


class Clock:
    """The time of the loop that `Retries` asks for, and one operation's answers in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.retries = 1000.0, Retries()
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: SimpleNamespace(time=lambda: self.now))

    def answer(self, error: ClientError | None, request: dict[str, Any], attempts: int = 1) -> float | None:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"] if error else 200
        answered = (SimpleNamespace(status_code=status), error.response if error else {})
        operation = SimpleNamespace(name="DescribeSnapshots")
        return self.retries.needs_retry(operation=operation, attempts=attempts, request_dict=request, response=answered)

    def give_up_after(self, request: dict[str, Any]) -> float:
        """Seconds from now until a request that is throttled all the time fails."""
        began, attempts = self.now, 1
        while (pause := self.answer(refusal("Throttling"), request, attempts)) is not None:
            self.now, attempts = self.now + pause, attempts + 1
        return self.now - began


def test_a_call_is_sent_again_for_its_time_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert clock.give_up_after({}) == pytest.approx(300, abs=1)
    assert clock.answer(None, {}) is None


def test_where_aws_has_been_away_for_the_whole_time_nobody_waits_all_of_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    clock.give_up_after({})
    assert clock.give_up_after({}) == 0
    clock.answer(None, {})  # it is back
    assert clock.give_up_after({}) == pytest.approx(300, abs=1)
    clock.now += 3600  # and what was an hour ago says nothing
    assert clock.give_up_after({}) == pytest.approx(300, abs=1)


def test_attempts_that_nobody_answers_are_of_one_outage_however_long_each_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)

    def give_up() -> float:
        began, request, attempts = clock.now, dict[str, Any](), 1
        clock.now += CONNECT_SECONDS + ANSWER_SECONDS
        while (pause := clock.answer(refusal("RequestTimeout"), request, attempts)) is not None:
            clock.now, attempts = clock.now + pause + CONNECT_SECONDS + ANSWER_SECONDS, attempts + 1
        return clock.now - began

    assert give_up() >= 300
    assert give_up() == CONNECT_SECONDS + ANSWER_SECONDS


def test_a_call_that_fails_alone_among_others_that_succeed_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, request, attempts = Clock(monkeypatch), dict[str, Any](), 1
    began = clock.now
    while (pause := clock.answer(refusal("InternalError", 500), request, attempts)) is not None:
        clock.now, attempts = clock.now + pause, attempts + 1
        clock.answer(None, {})
    assert clock.now - began == pytest.approx(300, abs=1)


def test_what_does_not_pass_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert clock.answer(refusal("SnapshotLimitExceeded"), {}) is None
    assert clock.answer(refusal("UnauthorizedOperation", 403), {}) is None


@pytest.mark.lab
@pytest.mark.parametrize(
    ("action", "rule"),
    [
        ("ec2:DescribeVolumes", {"code": "InternalError", "status": 500}),
        ("ec2:DescribeVolumes", {"drop": True}),
        ("s3:GetObject", {"code": "SlowDown", "status": 503}),
        ("s3:PutObject", {"code": "SlowDown", "status": 503}),
        ("ssm:ListCommandInvocations", {"code": "ThrottlingException"}),
        ("ssm:GetCommandInvocation", {"code": "ThrottlingException"}),
        ("ssm:SendCommand", {"code": "ThrottlingException"}),
    ],
)
def test_every_service_is_asked_again(
    moto_vault: VaultUnderTest,
    lab_cloud: LabCloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    rule: dict[str, Any],
) -> None:
    monkeypatch.setattr(host_scripts, "SCRIPTS", tmp_path)
    (tmp_path / "any.sh").write_text("true\n")
    host = lab_cloud.make_instance()

    async def ask(vault: Vault) -> None:
        lab_cloud.add_fault(action, times=2, **rule)
        await Ebs.of(vault.settings).volume("vol-0123456789abcdef0")
        created = await vault.documents.create("one.json", {"a": 1})
        assert await vault.documents.get("one.json") == created
        hosts = Hosts(vault.settings.aws_conn_id, 0.05)
        assert (await hosts.run(host, Platform.LINUX, "any", {}, label="any", limit=30)).status == "Success"

    moto_vault.run(ask)
    assert len(lab_cloud.fault_hits()) == 2


@pytest.mark.lab
def test_a_call_that_stays_unanswered_fails_after_its_time(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, "AWS_ANSWER", 1)
    lab_cloud.add_fault("ec2:DescribeVolumes", code="RequestLimitExceeded", status=503, times=None)

    async def ask(vault: Vault) -> None:
        async with asyncio.timeout(30):
            await Ebs.of(vault.settings).volume("vol-0123456789abcdef0")

    with pytest.raises(UnavailableError, match=r"RequestLimitExceeded.*Wait until AWS answers"):
        moto_vault.run(ask)


async def test_a_document_whose_body_breaks_off_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "LONGEST_PAUSE", 0.1)
    bodies = [b'{"a": ', b"", b'{"a": 1}']

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        date = b"Thu, 26 Nov 2026 09:00:00 GMT"
        times = b"Date: " + date + b"\r\nLast-Modified: " + date + b"\r\n"
        head = b'HTTP/1.1 200 OK\r\nETag: "e"\r\n' + times + b"Content-Length: 8\r\nConnection: close\r\n\r\n"
        writer.write(head + bodies.pop(0))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, closing_clients():
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        path_style = {"s3": {"addressing_style": "path"}}
        extra = {"region_name": "eu-central-1", "endpoint_url": endpoint, "config_kwargs": path_style}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_OF_THIS_TEST", json.dumps(connection))
        stored = await DocumentStore("bucket", "", "aws_of_this_test").get("one.json")
    assert stored
    assert stored.content == {"a": 1}
    assert bodies == []


@pytest.mark.lab
@pytest.mark.sweep
def test_many_who_ask_at_once_are_all_answered_however_few_calls_a_second_aws_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With botocore's own six attempts three of four calls fail here: all share one budget for what is sent again."""
    with LabCloud(new_settings(tmp_path), rates="ec2:Describe*=10:10") as cloud:
        set_vault(
            monkeypatch,
            tmp_path,
            bucket="none",
            s3=cloud.settings.cloud_url,
            cloud=cloud.settings.cloud_url,
            server=cloud.settings,
        )

        async def ask(vault: Vault) -> list[Any]:
            ebs = Ebs.of(vault.settings)
            return list(await asyncio.gather(*(ebs.volume("vol-0123456789abcdef0") for _ in range(150))))

        assert VaultUnderTest(Settings.from_environment()).run(ask) == [None] * 150
