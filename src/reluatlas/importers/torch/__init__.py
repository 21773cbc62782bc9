"""Modules and files of PyTorch."""
