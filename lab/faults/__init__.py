"""Bad days on order: fault rules, the calls that they name, and how they are set."""
