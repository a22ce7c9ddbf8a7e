"""What of its hosts stands in a restore's way, judged by what AWS and they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.rules.errors import RefusedError
from include.rules.points.parts import SnapshotRole
from include.rules.register.tenants import Platform
from include.rules.restore.devices import DEVICES
from include.rules.restore.host_survey import AttachedVolumes, FolderFacts, HostSurvey
from include.rules.restore.hosts import check_hosts
from include.rules.restore.plan import RestorePlan
from include.rules.restore.request import LONGEST_PATHS, DatabaseSource, RestoreScope
from perennial.hooks.aws.host_scripts import script_lines
from tests.unit.builders import tenant, verified

SITE = FolderFacts(exists=True, empty=False, files=1, bytes=1, free_bytes=1)
FREE = AttachedVolumes("eu-central-1a", frozenset({"/dev/sda1"}))
ONE_LEFT = AttachedVolumes("eu-central-1a", frozenset(DEVICES[Platform.LINUX][1:]))
POINT = verified()


def plan(**changes: object) -> RestorePlan:
    made = RestorePlan(
        source="acme",
        recovery_point=POINT.id,
        target=tenant(),
        what=RestoreScope.BOTH,
        folder="/srv/acme/site",
        database="shop_acme",
        database_from=DatabaseSource.SNAPSHOT,
        replaces_files=True,
        replaces_database=True,
    )
    return made.model_copy(update=changes)


def on_one_host() -> RestorePlan:
    """Web and database on the same host: it needs two names."""
    one = tenant()
    database = one.database.model_copy(update={"instance": one.web.instance})
    return plan(target=one.model_copy(update={"database": database}))


def survey(web: AttachedVolumes, database: AttachedVolumes = FREE, site: FolderFacts = SITE) -> HostSurvey:
    target = tenant()
    return HostSurvey(site=site, volumes={target.database.instance: database, target.web.instance: web})


def test_hosts_that_can_take_the_volumes_are_not_in_the_way() -> None:
    check_hosts(plan(), POINT, survey(FREE))
    check_hosts(plan(), POINT, survey(ONE_LEFT, ONE_LEFT))
    check_hosts(plan(), POINT, HostSurvey())  # nobody knows: attaching will tell, while the site is online


@pytest.mark.parametrize("role", SnapshotRole)
def test_a_host_in_another_zone_is_named_with_the_registers_word(role: SnapshotRole) -> None:
    elsewhere = replace(FREE, zone="eu-central-1b")
    found = survey(elsewhere) if role is SnapshotRole.WEB else survey(FREE, elsewhere)
    with pytest.raises(RefusedError, match=r"is in eu-central-1b, and (web|database)\.zone of tenant acme says"):
        check_hosts(plan(), POINT, found)


def test_a_zone_of_a_host_that_gets_no_volume_does_not_matter() -> None:
    elsewhere = replace(FREE, zone="eu-central-1b")
    check_hosts(plan(database_from=DatabaseSource.BACKUP_FILE), POINT, survey(FREE, elsewhere))


def test_two_volumes_for_one_host_need_two_names() -> None:
    with pytest.raises(RefusedError, match="has 1 free device names for 2 volumes"):
        check_hosts(on_one_host(), POINT, survey(ONE_LEFT))


def test_a_site_that_cannot_be_written_to_matters_only_where_it_has_to_go_offline() -> None:
    locked = replace(SITE, writable=False)
    with pytest.raises(RefusedError, match="the site cannot be taken offline"):
        check_hosts(plan(), POINT, survey(FREE, site=locked))
    check_hosts(plan(replaces_files=False, replaces_database=False), POINT, survey(FREE, site=locked))


@pytest.mark.parametrize("platform", Platform)
def test_the_longest_chosen_paths_fit_into_one_command_of_systems_manager(platform: Platform) -> None:
    places = dict.fromkeys(("SOURCE", "SHOWN_AT", "SEEN_AT", "TARGET"), "p" * 4096)  # PATH_MAX of Linux
    parameters = {"PATHS": "x" * LONGEST_PATHS, **places}
    lines = script_lines(platform, "copy_tree", parameters)
    assert sum(len(line.replace('"', '\\"')) + 4 for line in lines) < 64 * 1024
