"""What EC2 refuses in the parameters of any call: filters, tags, pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import validate_resource_ids
from moto.ec2.responses import EC2Response

from lab.cloud.paging import page_of
from lab.cloud.tags import checked_tags, specified_tags

Entry = TypeVar("Entry")

MOST_FILTER_VALUES, LONGEST_FILTER_VALUE = 200, 255
SMALLEST_PAGE, LARGEST_PAGE = 5, 1000

_TAGGABLE = {
    "CreateSnapshot": {"snapshot"},
    "CreateVolume": {"volume"},
    "RunInstances": {"instance", "volume", "network-interface", "spot-instances-request"},
}
"""What each call makes, and may therefore tag."""

_IDS = {"snapshotSet": "SnapshotIds", "volumeSet": "VolumeIds"}


class CheckedParameters(EC2Response):
    """moto's EC2 calls with parameters read as strictly as AWS does."""

    def create_tags(self) -> ActionResult:
        """As moto, with tags that AWS takes."""
        resources = self._get_param("Resources", [])
        validate_resource_ids(resources)
        self.ec2_backend.do_resources_exist(resources)
        tags = checked_tags(self._get_param("Tags", []))
        self.error_on_dryrun()
        self.ec2_backend.create_tags(resources, tags)
        return EmptyResult()

    def _filters_from_querystring(self) -> dict[str, Any]:
        filters = super()._filters_from_querystring()
        values = [value for filter_values in filters.values() for value in filter_values]
        if len(values) > MOST_FILTER_VALUES:
            raise EC2ClientError(
                "FilterLimitExceeded",
                f"The maximum number of filter values specified on a single call is {MOST_FILTER_VALUES}",
            )
        if any(len(value) > LONGEST_FILTER_VALUE for value in values):
            raise EC2ClientError(
                "FilterLimitExceeded", f"The maximum length for a filter value is {LONGEST_FILTER_VALUE} characters"
            )
        return filters

    def _parse_tag_specification(self, expected_type: str | None = None) -> dict[str, dict[str, str]]:
        specifications = self._get_param("TagSpecifications", []) or self._get_param("TagSpecification", [])
        return specified_tags(
            specifications, {expected_type} if expected_type else _TAGGABLE.get(self._get_action(), ())
        )

    def _asked_page(
        self, found: list[Entry], key: Callable[[Entry], str], id_set: str
    ) -> tuple[list[Entry], str | None]:
        """The page that a call asks for and the token of the next one; all of it without MaxResults, as on AWS.

        Args:
            key: What the entries are ordered by, unique for each.
            id_set: EC2's name of the list of ids that the call may give instead (`snapshotSet` for SnapshotIds).
        """
        size = self._get_param("MaxResults")
        if size is None:
            return found, None
        if self._get_param(_IDS[id_set], []):
            raise EC2ClientError(
                "InvalidParameterCombination",
                f"The parameter {id_set} cannot be used with the parameter maxResults",
            )
        if int(size) < SMALLEST_PAGE:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ( {size} ) for parameter maxResults is invalid. Expecting at least {SMALLEST_PAGE}.",
            )
        return self._page(found, key, int(size))

    def _page(self, found: list[Entry], key: Callable[[Entry], str], size: int) -> tuple[list[Entry], str | None]:
        try:
            return page_of(found, key, min(size, LARGEST_PAGE), self._get_param("NextToken"))
        except ValueError as error:
            raise EC2ClientError("InvalidParameterValue", str(error)) from error
