"""The piecewise-linear network: a small closed set of nodes that knows no geometry."""
