"""Work items, one after another: threads, limits, checkpoints."""
