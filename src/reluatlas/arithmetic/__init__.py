"""Exact numbers: limbs for kernels, rationals, modular elimination, sets of bits."""
