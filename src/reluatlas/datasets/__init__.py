"""Data sets and the models that come with the package."""
