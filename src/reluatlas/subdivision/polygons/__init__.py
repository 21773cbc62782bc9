"""Subdivision of planes."""
