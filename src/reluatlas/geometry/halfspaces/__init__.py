"""Polyhedra by their rows: facets, boundedness, redundancy."""
