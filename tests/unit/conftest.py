"""How many examples hypothesis tries: few in `make test`, 2,000 in `make test-all` and `make properties`."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("thorough", max_examples=2000, deadline=None)
