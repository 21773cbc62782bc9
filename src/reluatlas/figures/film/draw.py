"""How is a frame of a film drawn with matplotlib? One figure, whose artists are moved from frame to frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.figures import colors as palette
from reluatlas.figures.film.frames import Film, Frame, class_fills, class_inks, neuron_colors

FloatArray = NDArray[np.float64]

COLUMNS = 4
_WIDTH = 3.5
DUAL_LARGEST, DUAL_SMALLEST = 160.0, 6.0
_GREY = "#C4C4C4"
_SUN = np.array([-0.45, -0.55, 0.70]) / np.linalg.norm([-0.45, -0.55, 0.70])
_COUNT_INK = "#4477AA"


def dual_size(shares: FloatArray) -> FloatArray:
    """Return areas of dual points in points²: proportional to the share of area, with a least one."""
    return np.clip(2.0 * DUAL_LARGEST * shares, DUAL_SMALLEST, DUAL_LARGEST)


class FilmFigure:
    """The panels of a film: decision, surface, dual points, accuracy, each hidden layer, the output."""

    def __init__(self, film: Film, *, dpi: int = 100) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.film = film
        n_panels = film.trajectory.n_hidden + 5
        columns = COLUMNS if n_panels > 6 else 3
        rows, side = -(-n_panels // columns), 0.63 / (_WIDTH * columns)
        self.figure = Figure(figsize=(_WIDTH * columns, 3.75 * rows + 0.5), dpi=dpi)
        FigureCanvasAgg(self.figure)
        grid = self.figure.add_gridspec(
            rows, columns, left=side, right=1 - side, bottom=0.14 / rows, top=1 - 0.2 / rows, wspace=0.3, hspace=0.25
        )
        places = [grid[i // columns, i % columns] for i in range(n_panels)]
        self.heading = self.figure.text(side, 0.985, "", va="top", ha="left", fontsize=12)
        self.decision = self.figure.add_subplot(places[0])
        self.surface: Any = self.figure.add_subplot(places[1], projection="3d", computed_zorder=False)
        self.dual = self.figure.add_subplot(places[2])
        self.curve = self.figure.add_subplot(places[3])
        self.layers = [self.figure.add_subplot(p) for p in places[4:-1]]
        self.output = self.figure.add_subplot(places[-1])
        self.fills, self.inks = class_fills(film.trajectory.sizes[-1]), class_inks(film.trajectory.sizes[-1])
        self._set_up()

    def _set_up(self) -> None:
        from matplotlib.collections import LineCollection, PolyCollection
        from mpl_toolkits.mplot3d.art3d import Poly3DCollection

        film, box = self.film, self.film.trajectory.domain.box
        for ax, title in self._plane_panels():
            ax.set(xlim=(box.low[0], box.high[0]), ylim=(box.low[1], box.high[1]), title=title)
            ax.set_aspect("equal" if _ratio(box) < 20 else "auto")
            ax.locator_params(nbins=5)
            ax.title.set_fontsize("medium")
        self.cells = PolyCollection([], linewidths=0.5, zorder=1)
        self.decision.add_collection(self.cells, autolim=False)
        self.boundary = _lines(self.decision, palette.BOUNDARY, 1.8, 3.0)
        if len(film.X):
            self.decision.scatter(*film.X.T, s=3, c=self.inks[film.y], linewidths=0, alpha=0.55, zorder=2)
        self.faces = Poly3DCollection([np.zeros((3, 3))], linewidths=0.25, edgecolors="#2A2A2A")
        self.surface.add_collection3d(self.faces)
        self._label_surface()
        limit = film.slope_limit
        names = film.coordinate_names
        self.dual.set(xlim=(-limit, limit), ylim=(-limit, limit))
        self.dual.set_xlabel(f"slope along {names[0]}")
        self.dual.set_ylabel(f"slope along {names[1]}")
        self.dual.set_aspect("equal")
        self.dual.locator_params(nbins=5)
        self.dual.axhline(0, color="#D0D0D0", linewidth=0.8, zorder=0.5)
        self.dual.axvline(0, color="#D0D0D0", linewidth=0.8, zorder=0.5)
        self.points = self.dual.scatter([], [], edgecolors="#303030", linewidths=0.3, alpha=0.85, zorder=2)
        self._label_curve()
        self.earlier = [_lines(ax, _GREY, 0.7, 1.0) for ax in [*self.layers, self.output]]
        self.own: list[LineCollection] = [_lines(ax, _GREY, 1.4, 2.0) for ax in self.layers]
        self.zero = _lines(self.output, palette.BOUNDARY, 1.8, 3.0)

    def _plane_panels(self) -> list[tuple[Any, str]]:
        hidden = [(ax, f"hidden layer {i + 1}: zeros") for i, ax in enumerate(self.layers)]
        what = "decision boundary" if self.film.trajectory.sizes[-1] > 1 else "zeros"
        return [(self.decision, "decision"), *hidden, (self.output, f"output: {what}")]

    def _label_surface(self) -> None:
        from matplotlib.ticker import MaxNLocator

        box, (low, high) = self.film.trajectory.domain.box, self.film.height_range
        ax, names = self.surface, self.film.coordinate_names
        ax.set(xlim=(box.low[0], box.high[0]), ylim=(box.low[1], box.high[1]), zlim=(low, high))
        ax.set_title(f"decision function: {self.film.height_name}", fontsize="medium")
        ax.set_box_aspect((4, 4, 2.8), zoom=0.95)
        for axis, prune in ((ax.xaxis, None), (ax.yaxis, "lower"), (ax.zaxis, None)):
            axis.set_major_locator(MaxNLocator(4, prune=prune))  # the corner has the label of x
        ax.tick_params(labelsize="small", pad=-1)
        ax.set_xlabel(names[0], labelpad=-4)
        ax.set_ylabel(names[1], labelpad=-4)

    def _label_curve(self) -> None:
        film, ax = self.film, self.curve
        regions = np.array([f.n_linear_regions for f in film.frames])
        self.counts = ax.twinx()
        ax.set(xlim=_span(film.steps), ylim=(0.0, 1.03), box_aspect=1)
        ax.set_xlabel("batches")
        ax.locator_params(axis="x", nbins=5)
        self.counts.set_ylim(0, 1.1 * regions.max())
        self.counts.locator_params(axis="y", integer=True)
        self.counts.tick_params(axis="y", colors=_COUNT_INK)
        self.counts.set_title("linear regions", color=_COUNT_INK, loc="right", fontsize="medium")
        self.counts.plot(film.steps, regions, color=_COUNT_INK, linewidth=0.8, alpha=0.35)
        (self.count_line,) = self.counts.plot([], [], color=_COUNT_INK, linewidth=1.4)
        (self.count_dot,) = self.counts.plot([], [], "o", color=_COUNT_INK, markersize=4)
        ax.set_title("accuracy", loc="left", fontsize="medium")
        ax.plot(film.steps, film.accuracy, color="#202020", linewidth=0.8, alpha=0.3)
        (self.accuracy_line,) = ax.plot([], [], color="#202020", linewidth=1.6)
        (self.accuracy_dot,) = ax.plot([], [], "o", color="#202020", markersize=4)

    def show(self, position: int) -> None:
        """Move the artists to one frame."""
        film, frame = self.film, self.film.frames[position]
        step, accuracy = int(film.steps[position]), float(film.accuracy[position])
        text = f"{film.trajectory.name}, after {step:,} batches"
        self.heading.set_text(text + ("" if np.isnan(accuracy) else f", accuracy {accuracy:.3f}"))
        fills: Any = self.fills[frame.classes]
        self.cells.set_verts(frame.shapes)
        self.cells.set_facecolor(fills)
        self.cells.set_edgecolor(fills)
        self.boundary.set_segments(list(frame.boundary))
        self.zero.set_segments(list(frame.boundary))
        self._show_surface(frame, fills)
        self._show_dual(frame)
        for line, dot, values in (
            (self.accuracy_line, self.accuracy_dot, film.accuracy),
            (self.count_line, self.count_dot, np.array([f.n_linear_regions for f in film.frames])),
        ):
            line.set_data(film.steps[: position + 1], values[: position + 1])
            dot.set_data(film.steps[[position]], values[[position]])
        for level, (own, earlier) in enumerate(zip(self.own, self.earlier, strict=False)):
            mine = frame.levels == level
            own.set_segments(list(frame.edges[mine]))
            inks: Any = neuron_colors(film.trajectory.sizes[level + 1])[frame.units[mine]]
            own.set_color(inks)
            earlier.set_segments(list(frame.edges[frame.levels < level]))
        self.earlier[-1].set_segments(list(frame.edges))

    def _show_surface(self, frame: Frame, fills: FloatArray) -> None:
        low, high = self.film.height_range
        solid = [np.column_stack([p, np.clip(h, low, high)]) for p, h in zip(frame.shapes, frame.heights, strict=True)]
        longest = max(len(s) for s in solid)
        self.faces.set_verts([s[np.arange(longest) * len(s) // longest] for s in solid])
        box = self.film.trajectory.domain.box
        scale = np.append((box.high - box.low) / 4, (high - low) / 2.8)
        facing = np.array([_facing(s / scale) for s in solid])
        self.faces.set_facecolor(np.clip(fills * (0.80 + 0.28 * facing)[:, None], 0, 1))

    def _show_dual(self, frame: Frame) -> None:
        limit = self.film.slope_limit
        where = np.clip(frame.dual[:, :2], -limit, limit)
        n_out = int((np.abs(frame.dual[:, :2]) > limit).any(axis=1).sum())
        self.points.set_offsets(where)
        self.points.set_sizes(dual_size(frame.dual_shares))
        hues: Any = self.fills[frame.dual_classes]
        self.points.set_facecolor(hues)
        self.dual.set_title(dual_title(frame, n_out), fontsize="medium")

    def picture(self, position: int) -> NDArray[np.uint8]:
        """Return one frame as an image (height, width, 3), both even."""
        self.show(position)
        canvas: Any = self.figure.canvas
        canvas.draw()
        image = np.asarray(canvas.buffer_rgba())[:, :, :3]
        return image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2].copy()


def dual_title(frame: Frame, n_outside: int) -> str:
    """Return what is written above the dual points: the exact counts."""
    text = f"dual points: {frame.n_linear_regions:,} regions, {frame.n_cells:,} cells"
    return text + (f" ({n_outside} on the rim)" if n_outside else "")


def _facing(solid: FloatArray) -> float:
    q = np.roll(solid, -1, axis=0)
    normal = np.cross(solid - solid[0], q - solid[0]).sum(axis=0)
    length = float(np.linalg.norm(normal))
    return float(np.abs(normal[2]) / normal[2] * normal @ _SUN / length) if length > 0 and normal[2] != 0 else 1.0


def _lines(ax: Any, color: Any, width: float, zorder: float) -> Any:
    from matplotlib.collections import LineCollection

    drawn = LineCollection([], colors=color, linewidths=width, capstyle="round", zorder=zorder)
    ax.add_collection(drawn, autolim=False)
    return drawn


def _ratio(box: Any) -> float:
    sides = box.high - box.low
    return float(sides.max() / sides.min())


def _span(steps: NDArray[np.int64]) -> tuple[float, float]:
    low, high = float(steps[0]), float(steps[-1])
    return (low, high) if high > low else (low - 0.5, low + 0.5)
