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
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from weakref import WeakKeyDictionary

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError

ORDINARY_SECONDS = 20.0
"""For how long the ordinary way is taken after an answer that leaves a question: S3 may want a slower pace."""

_NAME = "object-name"
_MISSING = b"<Code>NoSuchKey</Code>"


class ShortReads:
    """The shorter way to one bucket, for one client."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        self._address: str | None = None
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
            request = await self._signed(path, headers)
            if request is None:
                return None
            # The client has no public name for its connections, nor for its signer; both are as old as the client.
            answer = await self._s3._endpoint.http_session.send(request)
            return answer.status_code, await answer.content, dict(answer.headers)
        except BotoCoreError:
            self._take_the_ordinary_way()
            return None

    async def _signed(self, path: str, headers: dict[str, str]) -> Any:
        """The request to send; None where the bucket is reached in a way of its own."""
        if self._address is None:
            self._address = await self._find_address()
        if not self._address:
            return None
        request = AWSRequest("GET", self._address + path, headers=headers, stream_output=False)
        request.context["payload_signing_enabled"] = True
        auth = await self._s3._request_signer.get_auth_instance("s3", self._s3.meta.region_name, "s3v4")
        auth.add_auth(request)
        return request.prepare()

    def _take_the_ordinary_way(self) -> None:
        self._ordinary_until = asyncio.get_running_loop().time() + ORDINARY_SECONDS

    async def _find_address(self) -> str:
        """The address of the bucket's objects up to their key, as the client itself would write it; empty where it does
        not sign for S3 in the ordinary way (an access point, a directory bucket).
        """
        place = {"Bucket": self._bucket, "Key": _NAME}
        address, _, query = (await self._s3.generate_presigned_url("get_object", Params=place)).partition("?")
        scopes = parse_qs(query).get("X-Amz-Credential", [])  # key/day/region/service/aws4_request
        signs_otherwise = any(scope.split("/")[3:4] != ["s3"] for scope in scopes)
        ends_so = address.endswith(f"/{_NAME}") and bool(urlsplit(address).netloc)
        return address.removesuffix(_NAME) if ends_so and not signs_otherwise else ""


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
