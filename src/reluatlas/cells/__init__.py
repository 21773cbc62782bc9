"""One cell, by its inequalities: its facets, neighbors, measures, certificate; explorations from cell to cell."""
