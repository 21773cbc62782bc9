"""The cells along a segment: an engine of its own, as all rows are numbers there."""
