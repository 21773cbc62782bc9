"""Fewer pieces for many cells."""
