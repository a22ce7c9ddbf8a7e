"""Keys of several recovery points in one, and back."""

from __future__ import annotations

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
    assert [key for one in joined for key in split_key(one)] == keys


def test_tenants_of_the_longest_ids_fit_too() -> None:
    keys = keys_of([f"{number:02}{'x' * 38}" for number in range(11)])
    joined = join_keys(keys)
    assert [len(split_key(one)) for one in joined] == [5, 5, 1]


def test_keys_of_different_moments_stay_apart() -> None:
    keys = [*keys_of(["acme", "globex"]), *keys_of(["acme"], "daily|2026-11-24")]
    assert join_keys(keys) == ("acme,globex|daily|2026-11-23", "acme|daily|2026-11-24")


def test_a_key_of_one_tenant_or_of_none_is_left_as_it_is() -> None:
    assert split_key("acme|daily|2026-11-23") == ("acme|daily|2026-11-23",)
    assert split_key("nonsense") == ("nonsense",)
