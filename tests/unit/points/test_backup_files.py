"""The files of a .bak: as many as the database needs, under names that tell claims and stripes apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.rules.errors import RefusedError
from include.rules.points.backup_files import MB, MOST_STRIPES, file_names, stripes_needed


@pytest.mark.parametrize(
    ("used_mb", "stripes"), [(0, 1), (1, 1), (50_000, 1), (50_000.1, 2), (100_000, 2), (3_200_000, 64)]
)
def test_a_backup_has_as_many_stripes_as_its_size_asks_for(used_mb: float, stripes: int) -> None:
    assert stripes_needed("acme", round(used_mb * MB), 50_000 * MB) == stripes


@given(st.integers(0, 10**15), st.integers(1, 10**12))
def test_no_stripe_takes_more_than_it_should_and_none_is_made_in_vain(used: int, size: int) -> None:
    try:
        stripes = stripes_needed("acme", used, size)
    except RefusedError:
        assert used > MOST_STRIPES * size
    else:
        assert used <= stripes * size
        assert stripes == 1 or used > (stripes - 1) * size


def test_a_database_too_large_for_all_stripes_is_refused_with_the_way_out() -> None:
    with pytest.raises(RefusedError) as caught:
        stripes_needed("acme", 3_200_001 * MB, 50_000 * MB)
    assert str(caught.value) == (
        "The database of tenant acme has 3,200,001 MB in use: in files of 50,000 MB its .bak would have 65, and SQL "
        "Server writes at most 64. The database was not backed up. Raise PERENNIAL_STRIPE_MB; with its largest value, "
        "100,000, 6,400,000 MB can be backed up to S3."
    )


def test_one_file_has_no_number_of_a_stripe() -> None:
    assert file_names(1, 1) == ("full-01.bak",)
    assert file_names(12, 3) == ("full-12-01.bak", "full-12-02.bak", "full-12-03.bak")


@given(st.lists(st.integers(1, MOST_STRIPES), max_size=120))
def test_no_two_claims_share_a_name_however_many_stripes_they_have(stripes: list[int]) -> None:
    names = [name for number, count in enumerate(stripes, start=1) for name in file_names(number, count)]
    assert len(names) == len(set(names)) == sum(stripes)
