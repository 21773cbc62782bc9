"""Films: a complex along a training."""
