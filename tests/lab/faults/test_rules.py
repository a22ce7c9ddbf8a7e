"""Which fault rules are taken, and what is said to those that are not."""

from __future__ import annotations

import json
import shlex
from argparse import ArgumentParser
from typing import Any

import pytest

from lab.faults.actions import S3_ACTIONS
from lab.faults.calls import s3_call
from lab.faults.command import EXAMPLES, FIELDS, add_arguments
from lab.faults.rules import FaultRules
from lab.sqlserver.engine.control import Control

S3_METHODS = ("DELETE", "GET", "HEAD", "POST", "PUT")


def add(rule: Any, rules: FaultRules | None = None) -> None:
    (rules or FaultRules()).add(json.dumps([rule]).encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("delay", -1),
        ("delay", float("nan")),
        ("delay", float("inf")),
        ("delay", "soon"),
        ("delay", True),
        ("bytes_per_second", -1),
        ("times", 0),
        ("times", -2),
        ("times", 1.5),
        ("times", "often"),
        ("drop", "yes"),
        ("match", 3),
        ("snapshot_state", "completed"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_the_field_and_what_it_wants(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{field} is .*, but it wants "):
        add({"action": "ec2:CreateSnapshot", "code": "InternalError", field: value})


def test_a_status_that_is_no_errors_is_refused() -> None:
    with pytest.raises(ValueError, match="status is 200, but it wants an HTTP status from 400 to 599"):
        add({"action": "ec2:CreateSnapshot", "code": "InternalError", "status": 200})


def test_a_status_without_an_error_is_refused() -> None:
    with pytest.raises(ValueError, match="status and message tell of an error"):
        add({"action": "ec2:CreateSnapshot", "drop": True, "status": 500})


@pytest.mark.parametrize(
    ("action", "right"),
    [
        ("ec2:CreatSnapshot", "ec2:CreateSnapshot"),
        ("ec2:createsnapshot", "ec2:CreateSnapshot"),
        ("CreateSnapshot", "ec2:CreateSnapshot"),
        ("EC2:DescribeSnapshots", "ec2:DescribeSnapshots"),
        ("ssm:SendComand", "ssm:SendCommand"),
        ("s3:PutObjects", "s3:PutObject"),
    ],
)
def test_a_name_that_fits_no_call_is_refused_with_the_nearest_right_one(action: str, right: str) -> None:
    with pytest.raises(ValueError, match=rf"'{action}' fits no call.*Did you mean {right}\?"):
        add({"action": action, "drop": True})


def test_a_service_that_the_server_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(ValueError, match="no service 'ecs'; it has ec2, iam, kms, s3, ssm, sts"):
        add({"action": "ecs:RunTask", "drop": True})
    with pytest.raises(ValueError, match="no service 'ec2'; it has s3"):
        add({"action": "ec2:CreateSnapshot", "drop": True}, FaultRules(services=["s3"]))


@pytest.mark.parametrize("action", ["*", "*:Put*", "ec2:*", "ec2:Describe*", "s3:*Object", "sts:GetCallerIdentity"])
def test_a_pattern_that_fits_a_call_is_taken(action: str) -> None:
    add({"action": action, "drop": True})


def test_a_field_that_tells_nothing_on_the_call_is_refused() -> None:
    with pytest.raises(ValueError, match="lag tells only on ec2:DescribeSnapshots and ec2:DescribeVolumes"):
        add({"action": "ec2:CreateSnapshot", "lag": 3})
    with pytest.raises(ValueError, match="snapshot_state tells only on ec2:CreateSnapshot"):
        add({"action": "ec2:DescribeSnapshots", "snapshot_state": "error"})


@pytest.mark.parametrize("document", [b"", b"{", b'{"action": "ec2:*", "drop": true}', b'["ec2:*"]', b"\xff"])
def test_what_is_no_list_of_rules_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        FaultRules().add(document)


def test_one_wrong_rule_of_several_keeps_all_of_them_out() -> None:
    rules = FaultRules()

    with pytest.raises(ValueError, match="names no action"):
        rules.add(b'[{"action": "ec2:*", "drop": true}, {"drop": true}]')

    assert rules.report()["rules"] == []


def test_the_names_of_s3_are_those_that_its_requests_are_given() -> None:
    """S3 has no action on the wire; what a request is called must be what a rule can name."""
    environs = [
        {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query} | copied
        for method in S3_METHODS
        for path in ("/b", "/b/k")
        for query in ("", "delete", "uploads", "uploadId=1")
        for copied in ({}, {"HTTP_X_AMZ_COPY_SOURCE": "/b/k"})
    ]

    assert {s3_call(environ).action for environ in environs} - set(S3_METHODS) == set(S3_ACTIONS)


def test_the_help_shows_every_fault_with_an_example_that_is_read() -> None:
    parser = ArgumentParser()
    add_arguments(parser)
    shown: set[str] = set()
    for line in EXAMPLES.splitlines()[1:]:
        example = line[22:].partition("   (")[0]
        options = parser.parse_args(shlex.split(example))
        shown |= {name for name, value in vars(options).items() if value is not None}

    assert set(FIELDS) <= shown


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b'{"backup_seconds": -1}', "backup_seconds is -1, but it wants seconds"),
        (b'{"restore_seconds": NaN}', "restore_seconds is nan, but it wants seconds"),
        (b'{"backup_seconds": "long"}', "backup_seconds is 'long', but it wants seconds"),
        (b'{"crash_after_percent": 0}', "crash_after_percent is 0, but it wants a whole number from 1 to 100"),
        (b'{"crash_after_percent": true}', "crash_after_percent is True, but it wants a whole number"),
        (b'{"crash": 40}', "it takes a JSON object with backup_seconds, restore_seconds, crash_after_percent"),
        (b"[]", "it takes a JSON object"),
    ],
)
def test_a_knob_of_sql_server_is_not_turned_to_where_it_makes_no_sense(document: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Control().turned(document)


def test_turning_one_knob_of_sql_server_leaves_the_others() -> None:
    assert Control(backup_seconds=3).turned(b'{"crash_after_percent": 40}') == Control(3, 0.0, 40)
