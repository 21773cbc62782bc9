"""Values of a network at points: in float64, with bounds, in exact numbers."""
