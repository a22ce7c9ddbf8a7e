"""Keys of several recovery points in one, and back."""

from __future__ import annotations

from itertools import pairwise

from include.rules.points.partition_keys import LONGEST, join_keys, split_key


def keys_of(tenants: list[str], moment: str = "daily|2026-11-23") -> list[str]:
    return [f"{tenant}|{moment}" for tenant in tenants]


def test_one_key_takes_all_that_fit() -> None:
    assert join_keys(keys_of(["acme", "globex", "initech"])) == ("acme,globex,initech|daily|2026-11-23",)
    assert join_keys([]) == ()


def test_what_was_joined_comes_apart_again_each_tenant_once() -> None:
    keys = keys_of([f"tenant-{number:04}" for number in range(1000)])
    joined = join_keys(keys)
    assert max(map(len, joined)) <= LONGEST
    assert len(joined) < len(keys) / 18
    assert sorted(key for one in joined for key in split_key(one)) == keys


def test_tenants_of_the_longest_ids_fit_too() -> None:
    keys = keys_of([f"{number:02}{'x' * 38}" for number in range(11)])
    joined = join_keys(keys)
    assert [len(split_key(one)) for one in joined] == [4, 4, 3]


def test_all_servers_have_work_at_once_and_each_goes_on_with_the_neighbours() -> None:
    by_server = keys_of([f"sql{server:02}-{number:02}" for server in range(20) for number in range(50)])
    places = [[by_server.index(key) for key in split_key(joined)] for joined in join_keys(by_server)]
    for current, following in pairwise(places):
        assert {place // 50 for place in current} == set(range(20))
        assert following == [place + 1 for place in current][: len(following)]


def test_keys_of_different_moments_stay_apart() -> None:
    keys = [*keys_of(["acme", "globex"]), *keys_of(["acme"], "daily|2026-11-24")]
    assert join_keys(keys) == ("acme,globex|daily|2026-11-23", "acme|daily|2026-11-24")


def test_a_key_of_one_tenant_or_of_none_is_left_as_it_is() -> None:
    assert split_key("acme|daily|2026-11-23") == ("acme|daily|2026-11-23",)
    assert split_key("nonsense") == ("nonsense",)
