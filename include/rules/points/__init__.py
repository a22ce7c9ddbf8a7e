"""Recovery points: what one holds, how it is claimed, kept from harm and listed."""
