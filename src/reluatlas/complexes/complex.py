"""`PolyhedralComplex`: the cells of a network on a domain, with their maps, vertices and neighbors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.answers.dual_graph import DualGraph
from reluatlas.answers.maps import checked_cell, input_affine
from reluatlas.cells.views import CellView, polygon
from reluatlas.complexes import decision_boundary as boundary
from reluatlas.complexes import faces, look_up, queries
from reluatlas.complexes import linear_regions as regions
from reluatlas.complexes.archive import save_complex
from reluatlas.complexes.decision_boundary import BentHyperplane, DecisionBoundary
from reluatlas.complexes.faces import Faces
from reluatlas.complexes.look_up import PatternTable
from reluatlas.complexes.record import ComplexRecord
from reluatlas.complexes.vertices import Corners, corners_of, vertex_ids
from reluatlas.typing import FloatArray, IntArray


@dataclass(frozen=True, eq=False, repr=False)
class PolyhedralComplex(ComplexRecord):
    """The cells of a network on a domain of one to six dimensions.

    Made by `enumerate_cells` or `load_complex`.

    Attributes
    ----------
    network : Network
    domain : Box, Slice or Space
    stopped_by : str
        "" when all cells are there, else "max_cells", "max_seconds" or "interrupt".
    exactness : Exactness
    patterns : ndarray of small integers, shape (n_cells, neurons and windows)
        The piece of every neuron and the winner of every max window, in topological order.
    affine : AffineMaps
        The map of each cell in the domain's coordinates: `A` (n_cells, m, k), `b` (n_cells, m).
    vertices : Vertices
    facets : Facets
        What lies behind each facet; in the plane facet j starts at vertex j.
    seconds : float
        Time that the enumeration took; 0 for a complex from a file.
    """

    @property
    def method(self) -> str:
        """How the cells were found: by cutting "polygons", "polytopes", or with "linear programs"."""
        return "polygons" if self.vertices.on is None else "polytopes"

    @cached_property
    def volumes(self) -> FloatArray:
        """Volume of each cell in input units, shape (n_cells,); they sum to the domain's. Infinite where unbounded."""
        return queries.volumes(self) * self.domain.unit_volume

    @cached_property
    def interior_points(self) -> FloatArray:
        """A point inside of each cell, shape (n_cells, k), in the domain's coordinates: the mean of its vertices.

        Of unbounded cells a point farther along its rays. Float64: beside a cell that is thinner than rounding.
        """
        return queries.interior_points(self)

    @cached_property
    def corners(self) -> Corners:
        """The vertices on each facet: `index[offsets[j]:offsets[j + 1]]` are rows of `vertices.points`."""
        return corners_of(self.vertices, self.facets.offsets)

    @cached_property
    def vertex_ids(self) -> IntArray:
        """A label for each row of `vertices.points`: equal labels for one point of several cells; 0, 1, ..."""
        return vertex_ids(self)

    @cached_property
    def affine_map_ids(self) -> IntArray:
        """A label for each cell: equal labels for equal affine maps, decided exactly; 0, 1, ..."""
        return regions.affine_map_ids(self)

    @property
    def n_affine_maps(self) -> int:
        """Number of different affine maps, whether their cells meet or not."""
        return int(self.affine_map_ids.max(initial=-1)) + 1

    @cached_property
    def linear_regions(self) -> IntArray:
        """A label for each cell: cells with one map that are connected through facets; 0, 1, ..."""
        return regions.linear_regions(self, self.affine_map_ids)

    @property
    def n_linear_regions(self) -> int:
        """Number of linear regions."""
        return int(self.linear_regions.max(initial=-1)) + 1

    @cached_property
    def f_vector(self) -> tuple[int, ...]:
        """Numbers of different faces of dimension 0, 1, ..., k: vertices, edges, ..., cells."""
        return faces.f_vector(self, self.vertex_ids)

    def faces(self, dim: int) -> Faces:
        """Return the faces of one dimension, each once: 0 for vertices, 1 for edges, ..., k for cells.

        Guarantees: found from incidences alone; vertices of different cells are matched as in `vertex_ids`.
        """
        return faces.faces(self, lambda: self.vertex_ids, dim)

    @property
    def euler_characteristic(self) -> int:
        """The alternating sum of the f-vector: for a complete complex 1 on a box, (-1)^k on a `Space`."""
        return sum((-1) ** d * n for d, n in enumerate(self.f_vector))

    def input_affine(self, cell: int) -> AffineMaps:
        """Return the map of a cell in input space: `A` (1, m, *input_shape), `b` (1, m)."""
        return input_affine(self.network, self.patterns, checked_cell(cell, self.n_cells))

    @cached_property
    def by_pattern(self) -> PatternTable:
        """The cells by their patterns, for look-ups."""
        return PatternTable(self.patterns)

    def cells_of(self, X: ArrayLike) -> IntArray:
        """Return the cell that each point lies in; on a face, the lowest of those that it lies on.

        Parameters
        ----------
        X : array_like, shape (N, k), or for a slice also (N, *input_shape) or (N, n_inputs)
            The domain's coordinates of the points, or inputs on the slice: they are taken to the float64 coordinates
            nearest to them first, and may be off the slice by 1e-9 of the size of the numbers.

        Returns
        -------
        ndarray of int64, shape (N,)
            -1 for a point in a part of the domain that an incomplete complex lacks.

        Raises
        ------
        DimensionError, NonFiniteError
            When `X` has another shape, or holds NaN or infinity.
        DomainError
            When a point is outside of the domain, or off the slice.

        Guarantees
        ----------
        Exact for the coordinates: points are looked up by what the network does there, not by where vertices were
        rounded to. Costs about a forward pass a point, and on faces a comparison with each cell.
        """
        return look_up.cells_of(self, self.by_pattern, X)

    def cell_at(self, x: ArrayLike) -> int:
        """Return the cell that a point lies in; on a face, the lowest that it lies on.

        Parameters
        ----------
        x : array_like, shape (k,) or an input's shape
            The domain's coordinates of the point, or, for a slice, an input on it; see `cells_of`, for many points.

        Raises
        ------
        DimensionError, NonFiniteError
            When `x` has another shape, or holds NaN or infinity.
        DomainError
            When the point is outside the domain, or in a part that an incomplete complex lacks.
        """
        return look_up.cell_at(self, self.by_pattern, x)

    def dual_graph(self) -> DualGraph:
        """Return the dual graph: cells joined over facets, with classes, volumes, and which unit turns on each."""
        has_volumes = self.method != "linear programs"
        return queries.dual_graph(self, (lambda: self.volumes) if has_volumes else None, lambda: self.interior_points)

    def decision_boundary(self) -> DecisionBoundary:
        """Return where the top two outputs tie, or where a single output is zero.

        In other dimensions than two the cells are cut once more, which takes about as long as finding them.
        """
        return self._boundary

    @cached_property
    def _boundary(self) -> DecisionBoundary:
        return boundary.decision_boundary(self, self.interior_points)

    def bent_hyperplane(self, layer: int | str, unit: int | None = None) -> BentHyperplane:
        """Return the zero set of one neuron: the facets across which it changes its piece.

        Parameters
        ----------
        layer : int or str
            Position among the breakpoint and max nodes, from 0, or the layer's name; or the unit's name: "fc1[13]".
        unit : int, optional
            Position in that layer, from 0; left out where the unit is named.
        """
        return boundary.bent_hyperplane(self, self.corners, queries.column_of(self.network, layer, unit))

    def to_table(self) -> dict[str, NDArray]:
        """Return one column per property of the cells, for `pandas.DataFrame(...)` and the like."""
        return queries.table(
            self,
            center=self.interior_points,
            volume=self.volumes,
            linear_region=self.linear_regions,
            affine_map=self.affine_map_ids,
        )

    def polygon(self, i: int) -> FloatArray:
        """Return the corners of a cell in the plane, shape (V, 2), counter-clockwise, in the domain's coordinates.

        Raises
        ------
        DimensionError
            When the domain has another dimension than two.
        """
        return polygon(self, checked_cell(i, self.n_cells))

    def __len__(self) -> int:
        return self.n_cells

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, i: int) -> CellView:
        return CellView(self, checked_cell(i, self.n_cells))

    def __iter__(self) -> Iterator[CellView]:
        return (CellView(self, i) for i in range(self.n_cells))

    def save(self, path: str | Path) -> None:
        """Write the complex and its network to an `.npz` file, without pickle."""
        save_complex(self, path)

    def to_html(self, path: str | Path, *, title: str = "", image: tuple[int, ...] | None = None) -> None:
        """Write the atlas of the cells: one page that loads nothing, to zoom, point at, ask and link to.

        Parameters
        ----------
        path : path
            Of the file, such as "atlas.html"; one that is there is replaced.
        title : str, optional
            The page's heading; the network's source when left out.
        image : tuple of int, optional
            The shape of inputs that are pictures, (height, width) or (channels, height, width), where the network takes
            flat ones; then inputs and maps are drawn.

        Raises
        ------
        DimensionError, DomainError
            When the domain is not a bounded plane, or inputs have no such shape.
        ArgumentError
            When there are no cells, or the file cannot be written.

        Guarantees
        ----------
        Vertices are the complex's float64 numbers, patterns its own; maps are rounded to float32. Of more than 200,000
        cells the largest are shown, and the page says how many are left out.
        """
        # by its name: what draws stands above what it draws
        import_module("reluatlas.atlas.page").write_page(self, path, title=title, image=image)

    def view(self, *, title: str = "", image: tuple[int, ...] | None = None, height: int = 640) -> Any:
        """Return the atlas of the cells as a widget for a notebook, where it is shown as the value of a cell.

        Parameters
        ----------
        title : str, optional
            Its heading; the network's source when left out.
        image : tuple of int, optional
            As in `to_html`.
        height : int
            In pixels.

        Returns
        -------
        anywidget.AnyWidget
            Its traits follow what is seen, and lead it: `selected` (a cell, -1 for none) and `view` (the middle `x`,
            `y` and the `zoom`, 2**zoom times the whole; `name` and `by`, what is shown and how it is colored).

        Raises
        ------
        MissingDependencyError
            When anywidget is not installed (extra `notebook`).
        ArgumentError, DimensionError, DomainError
            As `to_html`, or when `height` is no moderate number of pixels.

        Guarantees
        ----------
        Those of `to_html`. Tested in JupyterLab; other front ends are not.
        """
        return import_module("reluatlas.live.widget").widget_of(self, title=title, image=image, height=height)

    def __repr__(self) -> str:
        rest = "" if self.is_complete else f", incomplete: stopped by {self.stopped_by}"
        return f"PolyhedralComplex({self.n_cells:,} cells on {self.domain!r}, {self.exactness}{rest})"

    def _repr_html_(self) -> str:
        return queries.html_summary(self)

    def __reduce__(self) -> Any:
        raise TypeError("a PolyhedralComplex is not pickled. Use `.save(path)` and `load_complex(path)`.")
