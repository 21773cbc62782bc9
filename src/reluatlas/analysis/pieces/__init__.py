"""Reduced models that stand alone: k affine pieces and a gate that is computed from the input alone."""
