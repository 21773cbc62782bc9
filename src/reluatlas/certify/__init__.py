"""Certificates: their form, their files, and a check that shares nothing with the search."""
