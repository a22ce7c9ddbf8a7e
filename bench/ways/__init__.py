"""The same backup steps written in other ways, to stand beside the product's in a benchmark; none slowed on purpose."""
