"""Linear programs: in float64 and in exact numbers."""
