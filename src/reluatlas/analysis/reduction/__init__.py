"""Fewer maps for many."""
