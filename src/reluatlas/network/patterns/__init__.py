"""Patterns at points: a floating-point filter, certain signs, symbolic perturbation."""
