"""What EC2 refuses in CreateVolume, and what it makes of one that is sent again.

Types and sizes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html.
Tokens: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html.
The texts have been seen from AWS, but for those about types and about the length of a token.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.exceptions import EC2ClientError, MissingParameterError
from moto.ec2.models.elastic_block_store import Volume

DEFAULT_TYPE = "gp2"
SIZES = {
    "gp2": (1, 16_384),
    "gp3": (1, 65_536),
    "io1": (4, 16_384),
    "io2": (4, 65_536),
    "sc1": (125, 16_384),
    "st1": (125, 16_384),
    "standard": (1, 1_024),
}
"""Smallest and largest size of each type, in GiB."""

LONGEST_TOKEN = 64


def refuse_new_volume(zone: str | None, zones: Collection[str], volume_type: str | None, size: int | None) -> None:
    """Refuse a volume that EC2 would not make.

    Args:
        zone: Where it is to be; `zones` are those of the region.
        size: In GiB; None when neither a size nor a snapshot was given.

    Raises:
        EC2ClientError: as AWS refuses it.
    """
    if not zone:
        raise MissingParameterError("zone")
    if zone not in zones:
        raise EC2ClientError("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
    kind = volume_type or DEFAULT_TYPE
    if kind not in SIZES:
        raise EC2ClientError("UnknownVolumeType", f"Unsupported volume type '{kind}' for volume creation.")
    if size is None:
        raise MissingParameterError("size/snapshot")
    smallest, largest = SIZES[kind]
    if not smallest <= size <= largest:
        bound, limit = ("least", smallest) if size < smallest else ("most", largest)
        side = "above the minimum" if size < smallest else "below the maximum"
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The volume size is invalid for {kind} volumes: {size} GiB. {kind} volumes must be at {bound} {limit} GiB "
            f"in size. Please specify a volume size {side} limit.",
        )


@dataclass
class ClientTokens:
    """What each ClientToken of CreateVolume asked for, and the volume it got, which may be gone since."""

    _made: dict[str, tuple[dict[str, Any], Volume]] = field(default_factory=dict)

    def made(self, token: str, asked: Mapping[str, Any]) -> Volume | None:
        """The volume that this call has made before.

        Raises:
            EC2ClientError: the token is too long, or came with other parameters before.
        """
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ({token}) for parameter clientToken is invalid. It exceeds {LONGEST_TOKEN} ASCII characters",
            )
        before, volume = self._made.get(token, (dict(asked), None))
        if before != asked:
            raise EC2ClientError(
                "IdempotentParameterMismatch",
                "Parameters on this idempotent request are inconsistent with parameters used in previous request(s)",
            )
        return volume

    def keep(self, token: str, asked: Mapping[str, Any], volume: Volume) -> None:
        """Answer this call with this volume from now on."""
        self._made[token] = dict(asked), volume
