"""Which AWS call an HTTP request carries: its service, its action and the text a fault rule can look for."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus

Environ = dict[str, Any]
WsgiApp = Callable[[Environ, Any], Iterable[bytes]]

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_BY_VERSION = {"2016-11-15": "ec2", "2010-05-08": "iam", "2011-06-15": "sts"}
_BY_TARGET = {"AmazonSSM": "ssm", "TrentService": "kms"}
_READING = ("Describe", "Get", "List", "Simulate")


@dataclass(frozen=True)
class Call:
    """One AWS call.

    Attributes:
        text: What it asks for in readable form (path, query and, except for S3, the body).
        parameters: The query services' parameters as they stand in the call, `VolumeId` or `Tag.1.Key` for instance.
        access_key: Whose call it says it is; empty when nobody has signed it.
        region: The region it was signed for.
    """

    service: str
    action: str
    text: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    access_key: str = ""
    region: str = ""

    @property
    def name(self) -> str:
        """As IAM policies write it, `ec2:CreateSnapshot` for instance."""
        return f"{self.service}:{self.action}"

    @property
    def only_reads(self) -> bool:
        """Whether the call cannot change what the cloud knows."""
        return self.action.startswith(_READING)


def read_call(environ: Environ) -> Call:
    """Name the call of a WSGI request, whose body is read whole and stays readable for the application."""
    body = _buffered_body(environ)
    text = body.decode("utf-8", "replace")
    query = environ.get("QUERY_STRING", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    parameters = dict(parse_qsl(f"{query}&{text}" if query else text, keep_blank_values=True))
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", "")) or _SCOPE.search(unquote_plus(query))
    access_key, region, service = scope.groups() if scope else ("", "", _unsigned_service(target, parameters))
    if service == "s3":
        return s3_call(environ)
    if scope and "HTTP_AUTHORIZATION" not in environ:
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 {scope.group()}"  # moto looks for the region here only
    if target:
        return Call(service, target.rpartition(".")[2], text, access_key=access_key, region=region)
    return Call(service, parameters.get("Action", ""), unquote_plus(text), parameters, access_key, region)


def _unsigned_service(target: str, parameters: Mapping[str, str]) -> str:
    """The service of a call that names none in a signature, as far as it is one that the lab guards."""
    if target:
        prefix = target.partition(".")[0]
        return _BY_TARGET.get(prefix, prefix)
    if "Action" in parameters:
        return _BY_VERSION.get(parameters.get("Version", ""), "ec2")
    return "s3"


def s3_call(environ: Environ) -> Call:
    """Name a call of S3 by its request line and headers; the body is not looked at."""
    text = f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}"
    return Call("s3", _s3_action(environ), unquote_plus(text))


def _buffered_body(environ: Environ) -> bytes:
    """Read the body now: a slow client must not make others wait while its call is carried out."""
    stream = environ["wsgi.input"]
    chunked = environ.get("wsgi.input_terminated", False)
    body: bytes = stream.read() if chunked else stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return body


def _s3_action(environ: Environ) -> str:
    """S3 names no action on the wire: method, path and query decide, here for the calls Perennial makes."""
    method: str = environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if "/" not in environ.get("PATH_INFO", "").strip("/"):
        bucket_actions = {"PUT": "CreateBucket", "HEAD": "HeadBucket", "GET": "ListObjectsV2", "DELETE": "DeleteBucket"}
        return "DeleteObjects" if "delete" in query else bucket_actions.get(method, method)
    if "uploads" in query:
        return "CreateMultipartUpload"
    if "uploadId" in query:
        part_actions = {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}
        return part_actions.get(method, "ListParts")
    if "HTTP_X_AMZ_COPY_SOURCE" in environ:
        return "CopyObject"
    object_actions = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
    return object_actions.get(method, method)
