"""The operators of PyTorch's exported graphs."""
