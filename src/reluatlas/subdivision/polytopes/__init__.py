"""Subdivision in one to six dimensions, and of whole spaces."""
