// Where are the cells? The plane itself, zoomed as far as float64 goes.

import { Complex } from "./complex";
import { Paint, pieceRange } from "./paint";
import { NOBODY, Raster } from "./raster";
import type { Shown, State } from "./state";
import type { Grip, Move, Size, View } from "./view";

export interface PlaneCamera {
  x: number;
  y: number;
  sx: number; // pixels of the page to one unit
  sy: number;
}

const MARGIN = 0.94;
const SLICE_MS = 10;
const HOLD_PX = 13, HOLD_TOUCH_PX = 26; // so near a marker is taken hold of
const WAY_PX = 74; // an arrow is so long at most

export class Plane implements View<PlaneCamera> {
  readonly name = "plane";
  private readonly xs = new Float64Array(70000);
  private readonly ys = new Float64Array(70000);
  nVisible = 0;
  /** What becomes of a marker that is dragged; null where they stay. */
  take: ((mark: number, camera: PlaneCamera) => Grip | null) | null = null;
  showsPointer = false; // where the pointer is over another map of the same plane

  constructor(private readonly cx: Complex, private readonly paint: Paint, private readonly state: State) {}

  camera(size: Size): PlaneCamera {
    const { x, y, zoom } = this.state.shown, [bx, by] = this.base(size), k = 2 ** zoom;
    return { x, y, sx: bx * k, sy: by * k };
  }

  /** Pixels to one unit where the whole is seen: equal on both axes unless one would vanish. */
  private base(size: Size): [number, number] {
    const { low, high } = this.cx.told, w = high[0] - low[0], h = high[1] - low[1];
    const sx = (MARGIN * size.width) / w, sy = (MARGIN * size.height) / h;
    if (Math.max(w, h) > 20 * Math.min(w, h)) return [sx, sy];
    const s = Math.min(sx, sy);
    return [s, s];
  }

  /** How far one can zoom in: until neighboring float64 numbers are some pixels apart. */
  deepest(size: Size): number {
    const { low, high } = this.cx.told, far = Math.max(...low.map(Math.abs), ...high.map(Math.abs));
    return Math.floor(Math.log2(1 / (far * 2 ** -52 * 4)) - Math.log2(Math.max(...this.base(size))));
  }

  follow(drawn: PlaneCamera, now: PlaneCamera, { width, height }: Size): Move {
    const kx = now.sx / drawn.sx, ky = now.sy / drawn.sy;
    return {
      scale: [kx, ky],
      shift: [
        width / 2 - (kx * width) / 2 + (drawn.x - now.x) * now.sx,
        height / 2 - (ky * height) / 2 - (drawn.y - now.y) * now.sy,
      ],
    };
  }

  *draw(raster: Raster, camera: PlaneCamera, size: Size): Generator<void> {
    const { cx, paint, xs, ys } = this, { cells, pieces } = cx, shown = this.state.shown;
    const { width, height, ratio } = size, sx = camera.sx * ratio, sy = camera.sy * ratio;
    const ox = (width * ratio) / 2, oy = (height * ratio) / 2;
    let end = performance.now() + SLICE_MS;
    const isLate = () => performance.now() > end;
    const go = () => (end = performance.now() + SLICE_MS);
    raster.clear(0);
    if (cx.told.preview) return this.preview(raster, camera, size);
    const wx = width / 2 / camera.sx, wy = height / 2 / camera.sy;
    const x0 = camera.x - wx, x1 = camera.x + wx, y0 = camera.y - wy, y1 = camera.y + wy;
    const visible: number[] = [];
    for (let i = 0, b = cells.boxes; i < cx.n; i++) {
      if (b[4 * i] <= x1 && b[4 * i + 2] >= x0 && b[4 * i + 1] <= y1 && b[4 * i + 3] >= y0) visible.push(i);
    }
    this.nVisible = visible.length;
    const place = (xy: Float64Array, from: number, to: number): number => {
      for (let v = from, k = 0; v < to; v++, k++) {
        xs[k] = (xy[2 * v] - camera.x) * sx + ox;
        ys[k] = oy - (xy[2 * v + 1] - camera.y) * sy;
      }
      return to - from;
    };
    const isValue = shown.by === "value", q = paint.quantity(shown.output);
    const [low, high] = isValue ? paint.range(shown.output) : [0, 1];
    const scale = shown.graph ? paint.scaleOf(shown.output).map((c) => paint.faded(c)) : paint.scaleOf(shown.output), steps = 256 / (high - low);
    const divides = shown.by === "class" || isValue;
    const fill = (n: number, cell: number, piece: number) => {
      if (!isValue) {
        const color = paint.of(shown.by, cell, piece);
        raster.fill(xs, ys, n, cell, shown.graph ? paint.faded(color) : color);
        return;
      }
      const [ax, ay] = q.slope(cell, piece);
      const dx = (ax / sx) * steps, dy = (-ay / sy) * steps;
      const base = (q.value(cell, piece, camera.x, camera.y) - low) * steps - ox * dx - oy * dy;
      raster.fillScale(xs, ys, n, cell, scale, base, dx, dy);
    };
    for (let k = 0; k < visible.length; k++) {
      const i = visible[k];
      const [first, last] = divides ? pieceRange(cx, i) : [-1, 0];
      fill(place(cells.xy, cells.starts[i], cells.starts[i + 1]), i, first);
      for (let p = first; p >= 0 && p < last; p++) fill(place(pieces.xy, pieces.starts[p], pieces.starts[p + 1]), i, p);
      if (k % 512 === 511 && isLate()) yield, go();
    }
    const { low: l, high: r } = cx.told, frame = Float64Array.of(l[0], l[1], r[0], l[1], r[0], r[1], l[0], r[1], l[0], l[1]);
    place(frame, 0, 5);
    for (let k = 0; k < 4; k++) raster.line(xs[k], ys[k], xs[k + 1], ys[k + 1], paint.ink, ratio, 0.8);
    const room = Math.sqrt((Math.min(width, (cx.told.high[0] - cx.told.low[0]) * camera.sx) *
      Math.min(height, (cx.told.high[1] - cx.told.low[1]) * camera.sy)) / Math.max(visible.length, 1));
    if (shown.edges) yield* this.edges(raster, visible, place, room, ratio, isLate, go);
    if (shown.graph) yield* this.graph(raster, visible, camera, size, room, isLate, go);
    if (shown.boundary && (shown.by !== "map" || !shown.graph)) {
      const b = cx.boundary, thick = Math.min(2.6, Math.max(1.2, room / 6)) * ratio;
      for (let s = 0; s + 3 < b.length; s += 4) {
        const n = place(b, s / 2, s / 2 + 2);
        if (n) raster.line(xs[0], ys[0], xs[1], ys[1], paint.ink, thick, 1);
        if (s % 4096 === 0 && isLate()) yield, go();
      }
    }
  }

  /** Draw what was sampled while the plane moves: fields, no cells. */
  private preview(raster: Raster, camera: PlaneCamera, size: Size): void {
    const { cx, paint, xs, ys } = this, [across, up] = cx.told.preview!, classes = cx.find("preview"), { ratio } = size;
    const [x0, y0, x1, y1] = cx.told.window!, w = (x1 - x0) / Math.max(1, across), h = (y1 - y0) / Math.max(1, up);
    const put = (k: number, x: number, y: number) => {
      const [px, py] = this.pixel(camera, size, x, y);
      xs[k] = px * ratio, ys[k] = py * ratio;
    };
    const box = (x: number, y: number, right: number, top: number) => (put(0, x, y), put(1, right, y), put(2, right, top), put(3, x, top));
    if (!classes || !across) box(x0, y0, x1, y1), raster.fill(xs, ys, 4, NOBODY, paint.paper);
    else {
      for (let f = 0; f < across * up; f++) {
        const x = x0 + (f % across) * w, y = y0 + Math.floor(f / across) * h;
        box(x, y, x + w, y + h);
        raster.fill(xs, ys, 4, NOBODY, paint.faded(paint.ofClass(classes[f])));
      }
    }
    box(cx.told.low[0], cx.told.low[1], cx.told.high[0], cx.told.high[1]);
    for (let k = 0; k < 4; k++) raster.line(xs[k], ys[k], xs[(k + 1) % 4], ys[(k + 1) % 4], paint.ink, ratio, 0.8);
  }

  private *edges(
    raster: Raster, visible: number[], place: (xy: Float64Array, from: number, to: number) => number, room: number,
    ratio: number, isLate: () => boolean, go: () => void,
  ): Generator<void> {
    const { cx, paint, xs, ys } = this, { cells, neighbor, levels } = cx, { by, hidden, graph } = this.state.shown;
    const byLayer = by === "layer";
    const thick = Math.min(byLayer ? 1.7 : 1, Math.max(byLayer ? 0.7 : 0.45, room / (byLayer ? 8 : 14))) * ratio;
    const alpha = byLayer ? Math.min(1, Math.max(0.55, room / 10)) : Math.min(0.85, Math.max(0.28, room / 22));
    const color = graph && !byLayer ? paint.faded(paint.ink) : paint.ink;
    const isDrawn = new Uint8Array(cx.told.layers.length + 1).fill(1);
    hidden.forEach((l) => (isDrawn[l] = 0));
    for (let k = 0; k < visible.length; k++) {
      const i = visible[k], from = cells.starts[i], to = cells.starts[i + 1];
      const n = place(cells.xy, from, to);
      for (let j = 0; j < n; j++) {
        const behind = neighbor[from + j], level = levels[from + j];
        if (behind >= 0 && behind < i) continue;
        if (behind === -1 || !isDrawn[level]) continue;
        const w = j + 1 < n ? j + 1 : 0;
        raster.line(xs[j], ys[j], xs[w], ys[w], byLayer ? paint.layers[level] : color, thick, alpha);
      }
      if (k % 256 === 255 && isLate()) yield, go();
    }
  }

  private *graph(
    raster: Raster, visible: number[], camera: PlaneCamera, size: Size, room: number, isLate: () => boolean, go: () => void,
  ): Generator<void> {
    const { cx, paint } = this, { cells, neighbor, centers } = cx, { ratio } = size;
    const thick = Math.min(1.5, Math.max(0.5, room / 12)) * ratio;
    const at = (i: number): [number, number] => this.pixel(camera, size, centers[2 * i], centers[2 * i + 1]);
    for (let k = 0; k < visible.length; k++) {
      const i = visible[k], [x, y] = at(i);
      for (let j = cells.starts[i]; j < cells.starts[i + 1]; j++) {
        if (neighbor[j] < i) continue;
        const [a, b] = at(neighbor[j]);
        raster.line(x * ratio, y * ratio, a * ratio, b * ratio, paint.ink, thick, 0.75);
      }
      if (k % 256 === 255 && isLate()) yield, go();
    }
    const radius = Math.min(5, Math.max(1, room / 7)) * ratio;
    for (let k = 0; k < visible.length; k++) {
      const i = visible[k], [x, y] = at(i);
      if (x < -9 || y < -9 || x > size.width + 9 || y > size.height + 9) continue;
      raster.disc(x * ratio, y * ratio, radius, i, paint.single(this.state.shown, i), paint.ink);
      if (k % 256 === 255 && isLate()) yield, go();
    }
  }

  pixel(camera: PlaneCamera, { width, height }: Size, x: number, y: number): [number, number] {
    return [width / 2 + (x - camera.x) * camera.sx, height / 2 - (y - camera.y) * camera.sy];
  }

  place(x: number, y: number, _cell: number, size: Size): [number, number] {
    const camera = this.camera(size);
    return [camera.x + (x - size.width / 2) / camera.sx, camera.y - (y - size.height / 2) / camera.sy];
  }

  overlay(c: CanvasRenderingContext2D, size: Size): void {
    const camera = this.camera(size), { selected, hovered } = this.state.shown;
    this.outline(c, selected, camera, size, "#ffffff", 5);
    this.outline(c, selected, camera, size, "#c2185b", 2.6);
    if (hovered !== selected) {
      this.outline(c, hovered, camera, size, "#ffffff", 3.6);
      this.outline(c, hovered, camera, size, "#111111", 1.8);
    }
    const { at } = this.state.shown;
    if (this.showsPointer && at) ring(c, ...this.pixel(camera, size, at[0], at[1]));
    const ways = this.cx.told.ways ?? [];
    for (const [i, { label, u }] of this.cx.told.marks.entries()) {
      const [x, y] = this.pixel(camera, size, u[0], u[1]);
      if (ways[i] && this.take) arrow(c, x, y, ways[i][0] * camera.sx, -ways[i][1] * camera.sy);
      if (x < -20 || y < -20 || x > size.width + 20 || y > size.height + 20) continue;
      marker(c, x, y, label || `${i + 1}`, size);
    }
  }

  grab(x: number, y: number, size: Size, isTouch: boolean): Grip | null {
    if (!this.take) return null;
    const camera = this.camera(size);
    let best = -1, nearest = isTouch ? HOLD_TOUCH_PX : HOLD_PX;
    this.cx.told.marks.forEach(({ u }, i) => {
      const [a, b] = this.pixel(camera, size, u[0], u[1]), far = Math.hypot(a - x, b - y);
      if (far < nearest) (nearest = far), (best = i);
    });
    return best < 0 ? null : this.take(best, camera);
  }

  private outline(
    c: CanvasRenderingContext2D, cell: number, camera: PlaneCamera, size: Size, color: string, width: number,
  ): void {
    if (cell < 0) return;
    const { starts, xy } = this.cx.cells, far = 4 * Math.max(size.width, size.height);
    c.beginPath();
    for (let v = starts[cell]; v < starts[cell + 1]; v++) {
      const [x, y] = this.pixel(camera, size, xy[2 * v], xy[2 * v + 1]);
      if (Math.abs(x) > 1e6 || Math.abs(y) > 1e6) {
        this.outlineClipped(c, cell, camera, size, far);
        break;
      }
      c.lineTo(x, y);
    }
    c.closePath();
    c.lineWidth = width, c.strokeStyle = color, c.lineJoin = "round";
    c.stroke();
  }

  /** The outline of a cell that is far larger than the window: canvases draw no such long lines well. */
  private outlineClipped(c: CanvasRenderingContext2D, cell: number, camera: PlaneCamera, size: Size, far: number): void {
    const { starts, xy } = this.cx.cells;
    let shape: [number, number][] = [];
    for (let v = starts[cell]; v < starts[cell + 1]; v++) shape.push(this.pixel(camera, size, xy[2 * v], xy[2 * v + 1]));
    for (const [axis, sign] of [[0, 1], [0, -1], [1, 1], [1, -1]]) {
      const height = (p: [number, number]) => far - sign * p[axis], next: [number, number][] = [];
      shape.forEach((p, i) => {
        const r = shape[(i + 1) % shape.length], a = height(p), b = height(r);
        if (a >= 0) next.push(p);
        if (a >= 0 !== b >= 0) next.push([p[0] + ((r[0] - p[0]) * a) / (a - b), p[1] + ((r[1] - p[1]) * a) / (a - b)]);
      });
      shape = next;
    }
    c.beginPath();
    for (const [x, y] of shape) c.lineTo(x, y);
  }

  drag(dx: number, dy: number, size: Size): void {
    const camera = this.camera(size);
    this.to(camera.x - dx / camera.sx, camera.y + dy / camera.sy, this.state.shown.zoom);
  }

  zoom(factor: number, x: number, y: number, size: Size): void {
    const before = this.state.shown.zoom;
    const zoom = Math.min(this.deepest(size), Math.max(-1, before + Math.log2(factor)));
    if (zoom === before) return;
    const camera = this.camera(size), k = 2 ** (zoom - before);
    const dx = (x - size.width / 2) / camera.sx, dy = (size.height / 2 - y) / camera.sy;
    this.to(camera.x + dx * (1 - 1 / k), camera.y + dy * (1 - 1 / k), zoom);
  }

  private to(x: number, y: number, zoom: number): void {
    const { low, high } = this.cx.told;
    this.state.set({ x: Math.min(high[0], Math.max(low[0], x)), y: Math.min(high[1], Math.max(low[1], y)), zoom });
  }

  reset(): void {
    const { low, high } = this.cx.told;
    this.state.set({ x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, zoom: 0 });
  }

  /** Bring a cell into the middle, as large as it fits well. */
  show(cell: number, size: Size): void {
    const b = this.cx.cells.boxes, w = b[4 * cell + 2] - b[4 * cell], h = b[4 * cell + 3] - b[4 * cell + 1];
    const [bx, by] = this.base(size);
    const fit = Math.log2(Math.min((size.width * 0.3) / (w * bx), (size.height * 0.3) / (h * by)));
    this.to(this.cx.centers[2 * cell], this.cx.centers[2 * cell + 1], Math.max(0, Math.min(fit, this.deepest(size))));
  }

  isStale(changed: Partial<Shown>): boolean {
    return ["by", "hidden", "edges", "boundary", "graph", "x", "y", "zoom"].some((key) => key in changed) ||
      ("output" in changed && this.state.shown.by === "value");
  }
}

function marker(c: CanvasRenderingContext2D, x: number, y: number, label: string, size: Size): void {
  c.beginPath();
  c.arc(x, y, 5.5, 0, 7);
  c.fillStyle = "#ffffff", c.fill();
  c.lineWidth = 2.4, c.strokeStyle = "#111111", c.stroke();
  c.font = "600 13px system-ui, sans-serif";
  const width = c.measureText(label).width, left = x + 12 + width > size.width ? x - 12 - width : x + 12;
  c.lineWidth = 4, c.lineJoin = "round", c.strokeStyle = "#ffffff";
  c.textBaseline = "middle";
  c.strokeText(label, left, y);
  c.fillStyle = "#111111";
  c.fillText(label, left, y);
}

function ring(c: CanvasRenderingContext2D, x: number, y: number): void {
  for (const [color, width] of [["#ffffff", 4], ["#111111", 1.8]] as const) {
    c.beginPath();
    c.arc(x, y, 7, 0, 7);
    c.strokeStyle = color, c.lineWidth = width, c.stroke();
  }
}

/** Where a marker goes when it is dragged. */
function arrow(c: CanvasRenderingContext2D, x: number, y: number, dx: number, dy: number): void {
  const far = Math.hypot(dx, dy);
  if (far < 16) return;
  const k = Math.min(far, WAY_PX) / far, ex = dx / far, ey = dy / far, tx = x + dx * k, ty = y + dy * k;
  for (const [color, width] of [["#ffffff", 5], ["#111111", 2]] as const) {
    c.beginPath();
    c.moveTo(x + 7 * ex, y + 7 * ey), c.lineTo(tx, ty);
    c.moveTo(tx - 7 * ex + 4.5 * ey, ty - 7 * ey - 4.5 * ex), c.lineTo(tx, ty), c.lineTo(tx - 7 * ex - 4.5 * ey, ty - 7 * ey + 4.5 * ex);
    c.strokeStyle = color, c.lineWidth = width, c.lineCap = c.lineJoin = "round";
    c.stroke();
  }
}
