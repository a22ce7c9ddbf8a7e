"""What each statement does, one family a module."""
