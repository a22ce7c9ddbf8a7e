"""What a restore decides: what it may overwrite, from what, and how it ended."""
