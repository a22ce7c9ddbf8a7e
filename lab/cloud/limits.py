"""How much the lab's cloud takes: a gentle set for everyday use, and AWS's own; each can be set apart.

AWS's own numbers, with their sources:

- one CreateSnapshot for a volume in 15 s: "Wait at least 15 seconds between concurrent volume snapshots",
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html (SnapshotCreationPerVolumeRateExceeded)
- five pending snapshots of a volume, one of st1 and sc1: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-resource-quotas.html
  (ConcurrentSnapshotLimitExceeded); that one which is deleted or has failed counts for as long as it would have been
  pending is operators' experience, no page says it
- 100,000 snapshots for each Region (SnapshotLimitExceeded): by third parties' word
- buckets of EC2: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html, its tables "Request token
  bucket sizes and refill rates"; the resource tokens of RunInstances and its like are left out, they are a thousand
- buckets of SSM: **not established**. No page gives the rates of SendCommand and GetCommandInvocation, only each
  account's Service Quotas do; the lab takes EC2's for calls that change and calls that only look.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from lab.cloud.throttle import UNFILTERED, parse_rates

LAB_RATES = "ec2:Describe*=200:100 ec2:*=100:50 ssm:*=200:100"

_HALVED_UNFILTERED = (
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSnapshots",
    "DescribeSpotInstanceRequests",
    "DescribeVolumes",
)
_OF_THEIR_OWN = {  # those of AWS's "uncategorized actions" that the lab knows: how many at once, and how many a second
    "CreateSnapshot": (100, 5),
    "CreateTags": (100, 10),
    "CreateVolume": (100, 5),
    "DeleteSnapshot": (100, 5),
    "DeleteTags": (100, 10),
    "DeleteVolume": (100, 5),
    "DeregisterImage": (100, 5),
    "ModifySnapshotAttribute": (100, 5),
    "RunInstances": (5, 2),
    "StartInstances": (5, 2),
    "TerminateInstances": (100, 5),
}
AWS_RATES = " ".join(
    (
        *(f"ec2:{action}={burst}:{rate}" for action, (burst, rate) in _OF_THEIR_OWN.items()),
        *(f"ec2:{action}{UNFILTERED}=50:10" for action in _HALVED_UNFILTERED),
        *(f"ec2:{reading}*=100:20" for reading in ("Describe", "List", "Search", "Get")),
        "ec2:*=50:5",
        "ssm:Get*=100:20 ssm:List*=100:20 ssm:Describe*=100:20 ssm:*=50:5",
    )
)


@dataclass(frozen=True)
class Limits:
    """What is refused beyond.

    Attributes:
        snapshot_interval_seconds: For how long a volume must be left alone between two CreateSnapshot.
        pending_per_volume: How many snapshots of a volume may be pending at a time.
        pending_per_hdd_volume: The same for st1 and sc1.
        snapshots_per_region: How many snapshots an account may have in a Region.
        rates: Token buckets as `lab.cloud.throttle` reads them.
    """

    snapshot_interval_seconds: float = 1.0
    pending_per_volume: int = 5
    pending_per_hdd_volume: int = 1
    snapshots_per_region: int = 100_000
    rates: str = LAB_RATES

    def changed(self, document: Any) -> Limits:
        """With the fields of a JSON object in place of these; `{"set": "aws"}` and `{"set": "lab"}` name them all.

        Raises ValueError, saying what is wrong with it.
        """
        known = {field.name for field in fields(self)}
        if not isinstance(document, dict) or not document or not document.keys() <= known | {"set"}:
            raise ValueError(f'it takes {{"set": "aws"}}, {{"set": "lab"}}, or some of {", ".join(sorted(known))}.')
        changes = dict(document)
        base = self
        if "set" in changes:
            base = named(changes.pop("set"))
        for name, value in changes.items():
            if name == "rates":
                parse_rates(value)
            elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{name} is {value!r}, but it wants a number from 0 on.")
        return replace(base, **changes)

    def report(self) -> dict[str, Any]:
        return asdict(self)


LAB, AWS = Limits(), Limits(snapshot_interval_seconds=15.0, rates=AWS_RATES)


def named(name: object) -> Limits:
    """The set of limits of that name, `lab` or `aws`. Raises ValueError where there is none."""
    if name not in ("lab", "aws"):
        raise ValueError(f"there are no limits {name!r}: they are 'lab' (gentle) or 'aws' (AWS's own).")
    return AWS if name == "aws" else LAB
