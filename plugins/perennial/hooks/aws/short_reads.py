"""S3 read and listed by a shorter way through the same client: the signature, one request, the answer.

botocore builds each request anew from its service model (parameters, rules for the endpoint, hooks, user agent) and
reads each answer by it. Of the CPU time that an object of 2.5 KB takes, 1.0 ms, that is four fifths, and retention
reads one such object for each recovery point. What goes by this way uses the client's own connections, certificates,
credentials and error classes. Only an answer that leaves no question (the object, or that there is none; a whole page
of a listing) counts; everything else is asked for again by the ordinary way, whose retries, redirects and pace are the
client's.
"""

from __future__ import annotations

import asyncio
import base64
import zlib
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode
from weakref import WeakKeyDictionary, ref

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError

ORDINARY_SECONDS = 20.0
"""For how long the ordinary way is taken after an answer that leaves a question: S3 may want a slower pace."""

_SIGNED_IN_HEADERS = ("v4", "s3v4")
"""What botocore calls the ordinary signature of a request to S3; a directory bucket's, for instance, is another one."""

_MISSING = b"<Code>NoSuchKey</Code>"


class _Place(NamedTuple):
    """Where a bucket is.

    Attributes:
        address: Of its objects, up to their key; empty where it is reached in a way of its own.
        region: For which requests are signed.
    """

    address: str
    region: str


class ShortReads:
    """The shorter way to one bucket, for one client, which it keeps from nothing that ends it."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._client, self._bucket = ref(s3), bucket
        self._place: _Place | None = None
        self._ordinary_until = 0.0

    async def read(self, key: str) -> tuple[bytes, dict[str, str]] | None:
        """The content of an object and the answer's headers (names in small letters); None where the ordinary way has
        to be asked.

        Raises:
            ClientError: NoSuchKey, as the client itself raises it.
        """
        answer = await self._ask(quote(key, safe="/~"), {"x-amz-checksum-mode": "ENABLED"})
        if answer is None:
            return None
        status, content, headers = answer
        if status == 200 and _is_whole(content, headers):
            return content, headers
        if status == 404 and _MISSING in content:
            raise ClientError(
                {"Error": {"Code": "NoSuchKey", "Key": key}, "ResponseMetadata": {"HTTPStatusCode": 404}}, "GetObject"
            )
        self._take_the_ordinary_way()
        return None

    async def list(self, prefix: str, token: str) -> bytes | None:
        """One page of the objects below `prefix`, as ListObjectsV2 answers with keys encoded as in URLs; None where the
        ordinary way has to be asked.

        Args:
            token: What the page before has named; empty for the first one.
        """
        after = {"continuation-token": token} if token else {}
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url", **after}
        answer = await self._ask("?" + urlencode(query, safe="~", quote_via=quote), {})
        if answer is None:
            return None
        status, content, _ = answer
        if status == 200:
            return content
        self._take_the_ordinary_way()
        return None

    async def _ask(self, path: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]] | None:
        """Status, content and headers (names in small letters) of the answer to one request; None where the ordinary
        way has to be asked.
        """
        if asyncio.get_running_loop().time() < self._ordinary_until:
            return None
        try:
            s3: Any = self._client()  # whoever asks holds it
            request = await self._signed(s3, path, headers)
            if request is None:
                return None
            # The client has no public name for its connections, its signer and its rules for the endpoint.
            answer = await s3._endpoint.http_session.send(request)
            return answer.status_code, await answer.content, dict(answer.headers)
        except BotoCoreError:
            self._take_the_ordinary_way()
            return None

    async def _signed(self, s3: Any, path: str, headers: dict[str, str]) -> Any:
        """The request to send; None where the bucket is reached in a way of its own."""
        if self._place is None:
            self._place = await self._find_place(s3)
        address, region = self._place
        if not address:
            return None
        request = AWSRequest("GET", address + path, headers=headers, stream_output=False)
        request.context["payload_signing_enabled"] = True
        auth = await s3._request_signer.get_auth_instance("s3", region, "s3v4")
        auth.add_auth(request)
        return request.prepare()

    def _take_the_ordinary_way(self) -> None:
        self._ordinary_until = asyncio.get_running_loop().time() + ORDINARY_SECONDS

    async def _find_place(self, s3: Any) -> _Place:
        """Where the client itself would send a GetObject, by the rules of its Region and settings.

        Not by a presigned URL: most of those lead to S3's global host, which may send a request to the wrong Region.
        """
        operation, context = s3.meta.service_model.operation_model("GetObject"), dict[str, Any]()
        parameters = {"Bucket": self._bucket, "Key": "name"}
        address, headers, _ = await s3._resolve_endpoint_ruleset(operation, parameters, context)
        signing = {"signing_name": "s3", "region": s3.meta.region_name, **context.get("signing", {})}
        is_ordinary = context.get("auth_type") in _SIGNED_IN_HEADERS and signing["signing_name"] == "s3" and not headers
        return _Place(f"{address.rstrip('/')}/" if is_ordinary else "", signing["region"])


def _is_whole(content: bytes, headers: dict[str, str]) -> bool:
    """True unless the store has kept a checksum of the object that says otherwise."""
    stored = headers.get("x-amz-checksum-crc32")
    if stored is None or headers.get("x-amz-checksum-type") == "COMPOSITE":
        return True
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode() == stored


_ways: WeakKeyDictionary[Any, dict[str, ShortReads]] = WeakKeyDictionary()


def short_reads(s3: Any, bucket: str) -> ShortReads:
    """The shorter way to the bucket's objects through this client."""
    of_client = _ways.setdefault(s3, {})
    return of_client.setdefault(bucket, ShortReads(s3, bucket))
