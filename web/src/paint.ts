// Which color has a cell, and which height? The same in all views.

import { Complex, NO_CLASS } from "./complex";
import { mix, pixelOf } from "./raster";
import type { ColorBy, Shown } from "./state";

export const PAPER = "#f7f7f5";
const INK = pixelOf("#1a1a1a");

/** A function of the outputs that is shown as height, value or dual point. */
export interface Quantity {
  name: string;
  isTwoSided: boolean; // about zero
  value(cell: number, piece: number, x: number, y: number): number;
  slope(cell: number, piece: number): [number, number];
}

export class Paint {
  readonly ink = INK;
  readonly paper = pixelOf(PAPER);
  layers: number[] = [];
  scales!: { one: Uint32Array; two: Uint32Array };
  private classes: number[] = [];
  private tie = 0;
  private readonly ranges = new Map<number, [number, number]>();

  constructor(private readonly cx: Complex) {
    this.load();
    cx.listen(() => this.load());
  }

  private load(): void {
    const { told } = this.cx;
    this.ranges.clear();
    this.classes = told.classes.map((c) => pixelOf(c.color));
    this.tie = pixelOf(told.tie.color);
    this.layers = told.layer_colors.map(pixelOf);
    this.scales = { one: Uint32Array.from(told.one_sided, pixelOf), two: Uint32Array.from(told.two_sided, pixelOf) };
  }

  ofClass(c: number): number {
    return c === NO_CLASS ? this.tie : this.classes[c] ?? this.tie;
  }

  /** The color of a cell, or of a piece of it, where it is one. */
  of(by: ColorBy, cell: number, piece: number): number {
    const { cx } = this;
    if (by === "class" && cx.classes) return this.ofClass(piece >= 0 ? cx.pieceClass[piece] : cx.classes[cell]);
    const color = by === "map" ? cx.find("color") : undefined;
    if (color) return (0xff000000 | (color[3 * cell + 2] << 16) | (color[3 * cell + 1] << 8) | color[3 * cell]) >>> 0;
    return this.paper;
  }

  /** The color that stands for a cell alone: at its middle. */
  single(shown: Shown, cell: number): number {
    if (shown.by !== "value") return this.of(shown.by === "layer" ? (this.cx.classes ? "class" : "map") : shown.by, cell, -1);
    const q = this.quantity(shown.output), { centers } = this.cx;
    return this.atValue(shown.output, q.value(cell, this.cx.firstPiece[cell], centers[2 * cell], centers[2 * cell + 1]));
  }

  atValue(output: number, value: number): number {
    const [low, high] = this.range(output), scale = this.scaleOf(output);
    const step = Math.floor(((value - low) / (high - low)) * 256);
    return scale[Math.min(255, Math.max(0, step || 0))];
  }

  scaleOf(output: number): Uint32Array {
    return this.quantity(output).isTwoSided ? this.scales.two : this.scales.one;
  }

  quantity(output: number): Quantity {
    const { cx } = this, { told } = cx, m = told.n_outputs, o = cx.outputs;
    const slope = (cell: number, c: number): [number, number] => [o[3 * (cell * m + c)], o[3 * (cell * m + c) + 1]];
    const far = told.difference;
    if (output >= 0 || m === 1 || far) {
      const c = Math.min(m - 1, output >= 0 ? output : far?.output ?? 0), name = told.output_names[c];
      return {
        name: far ? (/^output/.test(name) ? `f − g` : `f − g, output ${name}`) : name, isTwoSided: !!far || told.outputs_in_all === 1,
        value: (cell, _piece, x, y) => cx.value(cell, c, x, y), slope: (cell) => slope(cell, c),
      };
    }
    if (m === 2) {
      const names = told.output_names;
      return {
        name: `${names[1]} − ${names[0]}`, isTwoSided: true,
        value: (cell, _piece, x, y) => cx.value(cell, 1, x, y) - cx.value(cell, 0, x, y),
        slope: (cell) => {
          const a = slope(cell, 0), b = slope(cell, 1);
          return [b[0] - a[0], b[1] - a[1]];
        },
      };
    }
    const winner = (cell: number, piece: number) => {
      const c = piece >= 0 ? cx.pieceClass[piece] : cx.classes ? cx.classes[cell] : 0;
      return c < m ? c : 0;
    };
    return {
      name: told.decides === null ? told.output_names[0] : told.decides === "min" ? "smallest output" : "largest output",
      isTwoSided: false,
      value: (cell, piece, x, y) => cx.value(cell, winner(cell, piece), x, y), slope: (cell, piece) => slope(cell, winner(cell, piece)),
    };
  }

  /** From where to where a scale of colors goes: the values of all cells, about zero where that is the middle. */
  range(output: number): [number, number] {
    const [low, high] = this.heights(output);
    if (!this.quantity(output).isTwoSided) return [low, high];
    const top = Math.max(Math.abs(low), Math.abs(high));
    return [-top, top];
  }

  /** The least and largest value of a quantity over all cells. */
  heights(output: number): [number, number] {
    const known = this.ranges.get(output);
    if (known) return known;
    const q = this.quantity(output), { cells, firstPiece } = this.cx;
    let low = Infinity, high = -Infinity;
    for (let i = 0; i < cells.count; i++) {
      for (let v = cells.starts[i]; v < cells.starts[i + 1]; v++) {
        const value = q.value(i, firstPiece[i], cells.xy[2 * v], cells.xy[2 * v + 1]);
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (!(high > low)) high = low + 1, low -= 1;
    this.ranges.set(output, [low, high]);
    return [low, high];
  }

  faded(color: number): number {
    return mix(color, this.paper, 0.6);
  }
}

/** Call for each polygon to fill: whole cells, and the pieces of those that a boundary divides. */
export function pieceRange(cx: Complex, cell: number): [number, number] {
  const first = cx.firstPiece[cell];
  if (first < 0) return [-1, 0];
  let end = first;
  while (end < cx.pieces.count && cx.pieceCell[end] === cell) end++;
  return [first, end];
}
