"""What importers share: tensors that are affine in others, windows, steps between pieces."""
