"""Pages: every entry once, whatever the size of the pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.cloud.paging import page_of


@given(st.lists(st.text(min_size=1, max_size=8), unique=True), st.integers(min_value=1, max_value=7))
def test_pages_together_are_the_whole_list_in_order(entries: list[str], size: int) -> None:
    seen: list[str] = []
    page, token = page_of(entries, str, size, None)
    seen += page
    while token:
        assert len(page) == size
        page, token = page_of(entries, str, size, token)
        seen += page
    assert seen == sorted(entries)


@pytest.mark.parametrize("token", ["made up", "@@@@", "____"])
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="is not valid"):
        page_of(["a", "b"], str, 1, token)
