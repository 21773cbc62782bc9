"""Cells in one to six dimensions: polytopes by their vertices and the facets that each lies on."""
