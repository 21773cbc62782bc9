"""The room of one question: what is left of a network where most units cannot change."""
