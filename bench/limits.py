"""AWS's own limits, as the lab's servers take them from their environment."""

from __future__ import annotations

AWS_LIMITS = {"PERENNIAL_LAB_LIMITS": "aws"}
