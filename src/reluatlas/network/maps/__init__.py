"""Affine maps of a network: at points, along patterns, in files."""
