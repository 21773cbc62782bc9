// What is known of the cells? Arrays as Python packed them, and what follows from them at once.

export type Numbers = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

export interface Layer {
  name: string;
  start: number;
  stop: number;
  kind: "switch" | "pieces" | "window";
}

export interface ClassLook {
  name: string;
  color: string;
  ink: string;
  is_seen: boolean;
}

export interface Term {
  input: number;
  dense?: string;
  starts?: string;
  indices?: string;
  values?: string;
}

export interface NetworkNode {
  kind: "input" | "affine" | "breakpoints" | "max";
  size: number;
  input?: number;
  terms?: Term[];
  cut?: number;
  slopes?: string;
  n_pieces?: number;
  candidates?: string;
  offsets?: string;
}

export interface Told {
  format: number;
  n_cells: number;
  n_all: number;
  low: [number, number];
  high: [number, number];
  coordinates: [string, string];
  unit_area: number;
  is_complete: boolean;
  stopped_by: string;
  exactness: string;
  left_out: string;
  n_outputs: number;
  outputs_in_all: number;
  has_classes: boolean;
  decides: "max" | "min" | null;
  output_names: string[];
  layers: Layer[];
  source: string;
  n_inputs: number;
  classes: ClassLook[];
  tie: { color: string; is_seen: boolean };
  layer_colors: string[];
  one_sided: string[];
  two_sided: string[];
  marks: { label: string; u: [number, number] }[];
  weights: NetworkNode[] | null;
  output_node: number;
  image: { channels: number; height: number; width: number; black: number; white: number } | null;
  unit_names: string[];
  arrays: { name: string; kind: string; at: number; length: number }[];
  title: string;
  report: string;
  version: string;
  window?: [number, number, number, number]; // of a live atlas: what the cells cover
  is_last?: boolean;
  which?: number; // 0 the network, 1 the one beside it, 2 their difference
  strip?: string[] | null; // inputs that the plane may be led through
  anchors?: [number, number, number][]; // of the plane at first
  ways?: [number, number][]; // of each anchor, as seen in the plane: from one input to the other
  names?: string[]; // of the networks
  step?: number; // of a training
  steps?: number[] | null;
  preview?: [number, number]; // no cells: classes at the middles of so many fields, across and up
  difference?: { largest: number; output: number; at: [number, number]; share: number | null };
}

export const FORMAT = 1;
export const SIDE = -1, UNEXPLORED = -2, LEFT_OUT = -3;
export const NO_CLASS = 65535;

const KINDS: Record<string, new (buffer: ArrayBuffer, at: number, length: number) => Numbers> = {
  u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i4: Int32Array, f4: Float32Array, f8: Float64Array,
};

/** A run of polygons: cell by cell, or piece by piece. */
export interface Polygons {
  count: number;
  starts: Uint32Array;
  xy: Float64Array;
  boxes: Float64Array;
}

export class Complex {
  told!: Told;
  n = 0;
  cells!: Polygons;
  pieces!: Polygons;
  pieceCell!: Uint32Array;
  pieceClass!: Uint16Array;
  firstPiece!: Int32Array; // of each cell; -1 for cells that are whole
  neighbor!: Int32Array;
  column!: Uint16Array | Uint32Array;
  noColumn = 65535;
  classes: Uint16Array | null = null;
  area!: Float64Array;
  outputs!: Float32Array;
  centers!: Float64Array;
  boundary!: Float64Array;
  levels!: Uint8Array | Uint16Array; // of each facet; the largest number for none
  totalArea = 0;
  private readonly arrays = new Map<string, Numbers>();
  private readonly names = new Map<number, string>();
  private readonly listeners: (() => void)[] = [];

  constructor(told: Told, data: ArrayBuffer, at = 0) {
    this.load(told, data, at);
  }

  /** Be told when other cells have taken the place of these. */
  listen(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Take over other cells: of the same network, in the same coordinates. What is not told anew stays. */
  load(told: Told, data: ArrayBuffer, start = 0): void {
    if (told.format !== FORMAT) throw new Error(`the data has format ${told.format}; this page reads ${FORMAT}`);
    const old = this.told;
    if (old) {
      told = {
        ...told, weights: told.weights ?? old.weights, image: told.image ?? old.image, output_node: told.output_node || old.output_node,
        strip: told.strip ?? old.strip, anchors: told.anchors ?? old.anchors, names: told.names ?? old.names, steps: told.steps ?? old.steps,
      };
    }
    for (const name of this.arrays.keys()) if (!/^(w\d|origin|basis|pictures)/.test(name)) this.arrays.delete(name);
    this.told = told;
    for (const { name, kind, at, length } of told.arrays) this.arrays.set(name, new KINDS[kind](data, start + at, length));
    this.n = told.n_cells;
    this.cells = polygonsOf(this.get("corners"), this.get("xy") as Float64Array);
    this.neighbor = this.get("neighbor") as Int32Array;
    this.column = this.get("column") as Uint16Array | Uint32Array;
    this.noColumn = this.column instanceof Uint16Array ? 65535 : 4294967295;
    this.area = this.get("area") as Float64Array;
    this.outputs = this.get("outputs") as Float32Array;
    this.classes = (this.find("class") as Uint16Array) ?? null;
    this.boundary = (this.find("boundary") as Float64Array) ?? new Float64Array(0);
    this.pieceCell = (this.find("piece.cell") as Uint32Array) ?? new Uint32Array(0);
    this.pieceClass = (this.find("piece.class") as Uint16Array) ?? new Uint16Array(0);
    this.pieces = polygonsOf(this.find("piece.corners") ?? new Uint16Array(0), (this.find("piece.xy") as Float64Array) ?? new Float64Array(0));
    this.firstPiece = new Int32Array(this.n).fill(-1);
    for (let p = this.pieces.count - 1; p >= 0; p--) this.firstPiece[this.pieceCell[p]] = p;
    this.centers = centersOf(this.cells);
    this.levels = this.levelsOf();
    const named = this.get("named");
    this.names.clear();
    told.unit_names.forEach((name, i) => this.names.set(named[i], name));
    let total = 0;
    for (const a of this.area) total += a;
    this.totalArea = total;
    for (const listener of this.listeners) listener();
  }

  /** Take over where the plane is now, and what was sampled there; cells are still those of before. */
  move(told: Told, data: ArrayBuffer, start: number): void {
    const { low, high, marks, ways, window, preview, step } = told;
    this.told = { ...this.told, low, high, marks, ways, window, preview, step, is_last: false };
    for (const { name, kind, at, length } of told.arrays) this.arrays.set(name, new KINDS[kind](data, start + at, length));
  }

  /** What was sampled no longer holds, and nothing else is known yet. */
  blank(told: Told): void {
    this.told = { ...this.told, low: told.low, high: told.high, marks: told.marks, window: told.window, preview: [0, 0], is_last: false };
  }

  find(name: string): Numbers | undefined {
    return this.arrays.get(name);
  }

  get(name: string): Numbers {
    const found = this.arrays.get(name);
    if (!found) throw new Error(`the data lacks ${name}`);
    return found;
  }

  /** The number that Python gives a cell. */
  numberOf(cell: number): number {
    return this.find("number")?.[cell] ?? cell;
  }

  /** The cell of this page that Python gives a number; -1 when it is not here. */
  cellOf(number: number): number {
    const numbers = this.find("number");
    if (!numbers) return Number.isInteger(number) && number >= 0 && number < this.n ? number : -1;
    return numbers.indexOf(number as never);
  }

  unitName(column: number): string {
    return this.names.get(column) ?? `unit ${column + 1}`;
  }

  layerOf(column: number): number {
    return this.told.layers.findIndex((l) => column >= l.start && column < l.stop);
  }

  /** The value of an output at a place, by the map of a cell. */
  value(cell: number, output: number, x: number, y: number): number {
    const at = 3 * (cell * this.told.n_outputs + output), o = this.outputs;
    return o[at + 2] + o[at] * (x - this.centers[2 * cell]) + o[at + 1] * (y - this.centers[2 * cell + 1]);
  }

  /** The cell that a place lies in; -1 for none. */
  cellAt(x: number, y: number): number {
    const { boxes, starts, xy } = this.cells;
    for (let i = 0; i < this.n; i++) {
      if (x < boxes[4 * i] || x > boxes[4 * i + 2] || y < boxes[4 * i + 1] || y > boxes[4 * i + 3]) continue;
      if (holds(xy, starts[i], starts[i + 1], x, y)) return i;
    }
    return -1;
  }

  /** The class that is decided on at a place of a cell. */
  classAt(cell: number, x: number, y: number): number {
    if (!this.classes) return NO_CLASS;
    let piece = this.firstPiece[cell];
    if (piece < 0) return this.classes[cell];
    const { starts, xy } = this.pieces;
    for (; piece < this.pieces.count && this.pieceCell[piece] === cell; piece++) {
      if (holds(xy, starts[piece], starts[piece + 1], x, y)) return this.pieceClass[piece];
    }
    return this.classes[cell];
  }

  className(c: number): string {
    return c === NO_CLASS ? "a tie" : this.told.classes[c]?.name ?? `${c}`;
  }

  private levelsOf(): Uint8Array | Uint16Array {
    const { layers } = this.told;
    const last = layers.length ? layers[layers.length - 1].stop : 0;
    const ofColumn = new Uint16Array(last + 1);
    layers.forEach((l, i) => ofColumn.fill(i, l.start, l.stop));
    const out = layers.length < 255 ? new Uint8Array(this.column.length) : new Uint16Array(this.column.length);
    const none = layers.length < 255 ? 255 : 65535;
    for (let j = 0; j < out.length; j++) out[j] = this.column[j] === this.noColumn ? none : ofColumn[this.column[j]];
    return out;
  }
}

/** What the cells cover: the domain, or the window of it that is known. */
export function bounds({ low, high, window }: Told): { low: [number, number]; high: [number, number] } {
  return window ? { low: [window[0], window[1]], high: [window[2], window[3]] } : { low, high };
}

function polygonsOf(corners: Numbers, xy: Float64Array): Polygons {
  const count = corners.length, starts = new Uint32Array(count + 1), boxes = new Float64Array(4 * count);
  for (let i = 0, v = 0; i < count; i++) {
    let x0 = Infinity, y0 = Infinity, x1 = -Infinity, y1 = -Infinity;
    const end = v + corners[i];
    for (; v < end; v++) {
      const x = xy[2 * v], y = xy[2 * v + 1];
      if (x < x0) x0 = x;
      if (x > x1) x1 = x;
      if (y < y0) y0 = y;
      if (y > y1) y1 = y;
    }
    starts[i + 1] = v;
    boxes[4 * i] = x0, boxes[4 * i + 1] = y0, boxes[4 * i + 2] = x1, boxes[4 * i + 3] = y1;
  }
  return { count, starts, xy, boxes };
}

function centersOf({ count, starts, xy }: Polygons): Float64Array {
  const out = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    let x = 0, y = 0;
    for (let v = starts[i]; v < starts[i + 1]; v++) x += xy[2 * v], y += xy[2 * v + 1];
    const k = starts[i + 1] - starts[i];
    out[2 * i] = x / k, out[2 * i + 1] = y / k;
  }
  return out;
}

/** Whether a convex polygon, counter-clockwise, holds a point; its edges count. */
export function holds(xy: Float64Array, from: number, to: number, x: number, y: number): boolean {
  for (let v = from; v < to; v++) {
    const w = v + 1 < to ? v + 1 : from;
    const ax = xy[2 * v] - x, ay = xy[2 * v + 1] - y, bx = xy[2 * w] - x, by = xy[2 * w + 1] - y;
    if (ax * by - ay * bx < 0) return false;
  }
  return to > from;
}
