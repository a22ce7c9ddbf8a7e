"""How many examples hypothesis tries: few in every run, 2,000 with `make properties`."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("thorough", max_examples=2000, deadline=None)
