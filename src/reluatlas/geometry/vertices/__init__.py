"""Polytopes by their vertices: polygons, volumes, double description."""
