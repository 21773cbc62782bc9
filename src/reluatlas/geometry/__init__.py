"""Convex geometry that knows no network: polygons, exact integers."""
