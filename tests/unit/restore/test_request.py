"""The form of a restore: what it may ask for, and what it is told when it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.rules.errors import ConfigurationError
from include.rules.restore.request import DatabaseSource, RestoreRequest, RestoreScope

MOMENT = "2026-11-23 10:00:07+00:00"


def request(**form: Any) -> RestoreRequest:
    return RestoreRequest.parse(json.dumps({"tenant": "acme", "confirm": "acme", **form}), MOMENT)


def test_an_almost_empty_form_asks_for_everything_in_place() -> None:
    empty = request(recovery_point=None, paths=[], folder="", database=None, into_tenant=" ")
    assert (empty.what, empty.database_from) == (RestoreScope.BOTH, DatabaseSource.BACKUP_FILE)
    assert (empty.recovery_point, empty.folder, empty.database, empty.into_tenant) == (None, None, None, None)
    assert empty.target == "acme"
    assert request(paths=None).paths == request(paths=[]).paths == ()


def test_a_restore_is_named_after_the_tenant_whose_place_it_goes_to_and_its_moment() -> None:
    assert request().restore_id == "acme-restore-20261123T100007Z"
    assert request(into_tenant="globex", confirm="globex").restore_id == "globex-restore-20261123T100007Z"


def test_spaces_around_what_was_pasted_do_not_matter() -> None:
    assert request(recovery_point=" acme-daily-20261123\n").recovery_point == "acme-daily-20261123"


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"confirm": "yes"}, "the confirmation 'yes' does not repeat 'acme'"),
        ({"into_tenant": "globex"}, "does not repeat 'globex'"),
        ({"tenant": "../x", "confirm": "../x"}, "a tenant id is"),
        ({"into_tenant": "Not One", "confirm": "Not One"}, "a tenant id is"),
        ({"what": "everything"}, "what"),
        ({"what": "files", "database": "shop2"}, "a database name was given, and only files were asked for"),
        ({"what": "database", "folder": "/srv/acme/new"}, "only the database was asked for"),
        ({"what": "database", "paths": ["a"]}, "only the database was asked for"),
        ({"folder": "relative/path"}, "a path is absolute"),
        ({"folder": "/srv"}, "a folder of the tenant's own"),
        ({"database": "master"}, "system database"),
        ({"paths": ["/etc/passwd"]}, "not a path below the tenant's folder"),
        ({"paths": ["a/../../b"]}, "not a path below the tenant's folder"),
        ({"paths": ["C:\\x"]}, "not a path below the tenant's folder"),
        ({"paths": ["a\nb"]}, "not a path below the tenant's folder"),
        ({"paths": [""]}, "not a path below the tenant's folder"),
        ({"paths": ["a"] * 201}, "paths"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_form_that_cannot_be_meant_is_refused_with_the_field(form: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        request(**form)
    assert "Nothing was restored." in str(caught.value)


@pytest.mark.parametrize("form", ["", "no json", "[]", "null", '"text"', "3"])
def test_what_is_no_form_at_all_is_refused_too(form: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        RestoreRequest.parse(form, MOMENT)


def test_a_moment_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not a date or time"):
        RestoreRequest.parse('{"tenant": "acme", "confirm": "acme"}', "yesterday")


def test_a_backslash_in_a_path_is_left_for_the_platform_to_decide_and_leads_nowhere_else() -> None:
    assert request(paths=["images\\logo.png"]).paths == ("images\\logo.png",)
    with pytest.raises(ConfigurationError, match="not a path below"):
        request(paths=["images\\..\\..\\other"])


def test_two_leading_slashes_mean_one() -> None:
    assert request(folder="//srv/globex/site/old").folder == "/srv/globex/site/old"
