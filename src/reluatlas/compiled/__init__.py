"""Compiled code: how kernels are made and kept, and structs of arrays for them."""
