"""Films: a complex along a training. `reluatlas.plot` names the same two."""

from reluatlas.figures.film.make import film, still

__all__ = ["film", "still"]
