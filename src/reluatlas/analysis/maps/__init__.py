"""Lists of affine maps: their rows, Gram matrices, distances."""
