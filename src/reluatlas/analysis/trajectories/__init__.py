"""A network along its training."""
