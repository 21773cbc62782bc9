"""What does a network look like? The public figures, each on the axes given or on new ones.

Every function returns the axes it drew on (`film` the path it wrote), shows nothing on the screen, and leaves
matplotlib's settings as they are. All is drawn below z-order 1: what is added to the axes lies on top. A class has one
color in all of them, that `class_colors` tells.
"""

from __future__ import annotations

from reluatlas.figures.affine_images import affine_images
from reluatlas.figures.boundary import boundary
from reluatlas.figures.cells import cells
from reluatlas.figures.class_colors import class_colors
from reluatlas.figures.comparison import comparison
from reluatlas.figures.contributions import contributions
from reluatlas.figures.dual import dual
from reluatlas.figures.exploration import dual_graph, walk
from reluatlas.figures.facet_distances import facet_distances
from reluatlas.figures.film.make import film, still
from reluatlas.figures.joined import joined, piece_curve
from reluatlas.figures.layers import layers
from reluatlas.figures.path import path, path_density
from reluatlas.figures.surface import surface
from reluatlas.figures.trajectory import trajectory

__all__ = [
    "affine_images",
    "boundary",
    "cells",
    "class_colors",
    "comparison",
    "contributions",
    "dual",
    "dual_graph",
    "facet_distances",
    "film",
    "joined",
    "layers",
    "path",
    "path_density",
    "piece_curve",
    "still",
    "surface",
    "trajectory",
    "walk",
]
