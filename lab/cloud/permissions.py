"""Who may call what: the lab's own key may do everything, a key made through IAM what its user's policies allow.

As on AWS, a call that nobody has signed is refused, a call that touches several resources needs leave for each of them,
and tags given at creation need ec2:CreateTags besides. Whether a signature is right is not checked. S3 is not judged
here: the lab's S3 is `lab.storage`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.access_control import CreateAccessKeyFailure, IAMUserAccessKey
from moto.iam.models import Policy, iam_backends

from lab.cloud.policies import Deed, allows
from lab.cloud.state import State
from lab.environment import PROJECT
from lab.faults.answers import error_answer
from lab.faults.calls import Call, Environ, WsgiApp
from lab.settings import REGION, LabSettings

POLICY_FILE = PROJECT / "docs" / "iam-policy.json"
LIMITED_USER = "perennial"

_QUERY_SERVICES = ("ec2", "iam", "sts")
_KINDS = {"snap": "snapshot", "vol": "volume", "i": "instance"}
_NAMES_A_RESOURCE = re.compile(r"(Snapshot|Volume|Instance|Resource)Id(\.\d+)?")
_TAG_KEY = re.compile(r"TagSpecification\.\d+\.Tag\.\d+\.Key")
_MADE = {"CreateSnapshot": "snapshot", "CreateVolume": "volume"}


class Permissions:
    """WSGI middleware that refuses what the caller's policies do not allow."""

    def __init__(self, app: WsgiApp, state: State, master_key: str) -> None:
        self._app = app
        self._state = state
        self._master_key = master_key

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        call: Call = environ["lab.call"]
        if call.access_key == self._master_key or call.service == "s3":
            return self._app(environ, start_response)
        with self._state.lock:
            refusal = _refusal(call) if call.access_key else _unsigned(call)
        if refusal is None:
            return self._app(environ, start_response)
        code, message = refusal
        status = 403 if call.service in _QUERY_SERVICES else 400
        return error_answer(call, code, message, status)(environ, start_response)


def make_limited_user(settings: LabSettings) -> None:
    """Make the user `perennial`, with the lab's limited key and the policy of docs/iam-policy.json as it stands."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    if LIMITED_USER not in iam.users:
        iam.create_user(region_name=REGION, user_name=LIMITED_USER)
        key = iam.create_access_key(LIMITED_USER)
        key.access_key_id, key.secret_access_key = settings.limited_access_key, settings.limited_secret_key
    iam.put_user_policy(LIMITED_USER, "perennial", POLICY_FILE.read_text())


def _unsigned(call: Call) -> tuple[str, str]:
    """Code and message of the refusal of a call that nobody has signed."""
    if call.service in _QUERY_SERVICES:
        return "MissingAuthenticationToken", "Request is missing Authentication Token"
    return "MissingAuthenticationTokenException", "Missing Authentication Token"


def _refusal(call: Call) -> tuple[str, str] | None:
    """Code and message of the refusal, None when the call is allowed."""
    try:
        user = IAMUserAccessKey(DEFAULT_ACCOUNT_ID, "aws", call.access_key, {})
    except CreateAccessKeyFailure:
        code = "AuthFailure" if call.service == "ec2" else "UnrecognizedClientException"
        return code, "AWS was not able to validate the provided access credentials"
    policies = [_document(policy) for policy in user.collect_policies()]
    for deed in deeds(call, call.region):
        if not allows(policies, deed):
            code = {"ec2": "UnauthorizedOperation", "ssm": "AccessDeniedException"}.get(call.service, "AccessDenied")
            return code, (
                f"User: {user.arn} is not authorized to perform: {deed.action} on resource: {deed.resource} "
                f"because no identity-based policy allows the {deed.action} action"
            )
    return None


def deeds(call: Call, region: str) -> Iterator[Deed]:
    """What a call does, resource by resource: those it names, those it makes, and their tags."""
    if call.name == "sts:GetCallerIdentity":
        return
    if call.only_reads or call.service not in ("ec2", "ssm"):
        yield Deed(call.name, "*")
        return
    if call.service == "ssm":
        yield from _ssm_deeds(call, region)
        return
    named = [value for name, value in call.parameters.items() if _NAMES_A_RESOURCE.fullmatch(name)]
    for resource_id in named:
        yield Deed(call.name, _arn(resource_id, region), _resource_tags(resource_id, region))
    if made := _MADE.get(call.action):
        arn, tags = _arn(f"{made}/*", region), _request_tags(call)
        yield Deed(call.name, arn, tags)
        if tags:
            yield Deed("ec2:CreateTags", arn, {**tags, "ec2:CreateAction": call.action})
    elif not named:
        yield Deed(call.name, "*")


def _ssm_deeds(call: Call, region: str) -> Iterator[Deed]:
    if call.action != "SendCommand":
        yield Deed(call.name, "*")
        return
    document = json.loads(call.text)
    yield Deed(call.name, f"arn:aws:ssm:{region}::document/{document['DocumentName']}")
    for instance_id in document.get("InstanceIds", []):
        yield Deed(call.name, _arn(instance_id, region), _resource_tags(instance_id, region))


def _arn(resource: str, region: str) -> str:
    """The ARN of `snap-...` or of `snapshot/*`; snapshots have no account in theirs."""
    path = resource if "/" in resource else f"{_KINDS.get(resource.partition('-')[0], 'other')}/{resource}"
    account = "" if path.startswith("snapshot/") else DEFAULT_ACCOUNT_ID
    return f"arn:aws:ec2:{region}:{account}:{path}"


def _resource_tags(resource_id: str, region: str) -> dict[str, str]:
    tags = ec2_backends[DEFAULT_ACCOUNT_ID][region].tags.get(resource_id, {})
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


def _request_tags(call: Call) -> dict[str, str]:
    """The tags that a call gives to what it makes, as condition keys."""
    parameters = call.parameters
    keys = {name: value for name, value in parameters.items() if _TAG_KEY.fullmatch(name)}
    return {
        f"aws:RequestTag/{key}": parameters.get(name.removesuffix("Key") + "Value", "") for name, key in keys.items()
    }


def _document(policy: Any) -> dict[str, Any]:
    if isinstance(policy, Policy):
        text = next(version.document for version in policy.versions if version.is_default)
    else:
        text = policy["policy_document"]
    document: dict[str, Any] = json.loads(text)
    return document
