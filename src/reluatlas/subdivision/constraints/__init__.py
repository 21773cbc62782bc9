"""Subdivision beyond six dimensions: polytopes are rows, and linear programs decide."""
