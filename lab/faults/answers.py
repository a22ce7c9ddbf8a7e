"""Error answers in the wire format of the service that was called."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from lab.faults.calls import Call

_REQUEST_ID = "<RequestId>00000000-0000-4000-8000-000000000000</RequestId>"


def error_answer(call: Call, code: str, message: str, status: int) -> Response:
    """What the caller's SDK reads as a ClientError with this code and message.

    EC2, S3 and the older query services (IAM, STS) wrap XML differently; the others speak JSON.
    """
    if call.service not in ("ec2", "s3", "iam", "sts"):
        document = json.dumps({"__type": code, "message": message})
        return Response(document, status, mimetype="application/x-amz-json-1.1")
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if call.service == "ec2":
        xml = f"<Response><Errors><Error>{error}</Error></Errors>{_REQUEST_ID}</Response>"
    elif call.service == "s3":
        xml = f"<Error>{error}{_REQUEST_ID}</Error>"
    else:
        xml = f"<ErrorResponse><Error>{error}</Error>{_REQUEST_ID}</ErrorResponse>"
    return Response(xml, status, mimetype="text/xml")
