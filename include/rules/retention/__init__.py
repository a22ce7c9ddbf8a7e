"""What retention decides: what is kept and why, what stops a deletion."""
