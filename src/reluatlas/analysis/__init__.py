"""Answers about networks and complexes: take them, return answer objects."""
