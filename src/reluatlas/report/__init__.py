"""An answer as a page and as files: draws and words what was computed, computes nothing."""
