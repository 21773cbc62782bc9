"""A network and a domain as flat arrays for kernels."""
