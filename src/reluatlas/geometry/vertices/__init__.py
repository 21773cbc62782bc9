"""Polytopes by their vertices: polygons, volumes, double description.

A vertex has a radius, how far it may be off: `crossing` of `polygon.py` and of `polytope.py` makes it.
"""
