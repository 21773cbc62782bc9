// Which affine maps are there? Each as a point: its slopes along the two coordinates.

import { Complex } from "./complex";
import { Paint } from "./paint";
import { Raster } from "./raster";
import type { Shown, State } from "./state";
import { axisTicks, halo } from "./ticks";
import type { Move, Size, View } from "./view";

interface DualCamera {
  x: number;
  y: number;
  s: number;
}

const SLICE_MS = 10;
const ASKED = 4000; // of the largest maps, for the first window
const KEPT = 0.985; // of the area: the maps that the first window shows

export class Dual implements View<DualCamera> {
  readonly name = "dual";
  private points = new Float64Array(0);
  private order: Int32Array = new Int32Array(0); // one cell for each map, large ones first
  private representative: Int32Array = new Int32Array(0); // of each cell
  private areas = new Float64Array(0);
  private view: DualCamera = { x: 0, y: 0, s: 1 }; // s: half of the window's shorter side holds 1/s slopes
  private home: DualCamera = this.view;
  private output = NaN;

  constructor(private readonly cx: Complex, private readonly paint: Paint, private readonly state: State) {
    this.group();
    cx.listen(() => this.group());
  }

  private group(): void {
    const { cx } = this, map = cx.find("map");
    this.output = NaN;
    this.areas = Float64Array.from(cx.area);
    this.representative = new Int32Array(cx.n);
    const first = new Map<number, number>();
    const bySize = Int32Array.from({ length: cx.n }, (_, i) => i).sort((a, b) => cx.area[b] - cx.area[a]);
    const order: number[] = [];
    for (const i of bySize) {
      const key = map ? map[i] : i, known = first.get(key);
      if (known === undefined) first.set(key, i), order.push(i), (this.representative[i] = i);
      else (this.representative[i] = known), (this.areas[known] += cx.area[i]);
    }
    this.order = Int32Array.from(order);
  }

  private prepare(): void {
    const { output } = this.state.shown, { cx } = this;
    if (output === this.output) return;
    this.output = output;
    const q = this.paint.quantity(output);
    this.points = new Float64Array(2 * cx.n);
    for (let i = 0; i < cx.n; i++) {
      const [a, b] = q.slope(i, cx.firstPiece[i]);
      this.points[2 * i] = a, this.points[2 * i + 1] = b;
    }
    const large = this.order.subarray(0, ASKED);
    let total = 0;
    for (const i of large) total += this.areas[i];
    const sides = [0, 1].map((axis) => {
      const sorted = Int32Array.from(large).sort((i, j) => this.points[2 * i + axis] - this.points[2 * j + axis]);
      let sum = 0, low = NaN, high = NaN;
      for (const i of sorted) {
        sum += this.areas[i];
        if (Number.isNaN(low) && sum >= ((1 - KEPT) / 2) * total) low = this.points[2 * i + axis];
        if (Number.isNaN(high) && sum >= (1 - (1 - KEPT) / 2) * total) high = this.points[2 * i + axis];
      }
      const last = this.points[2 * sorted[sorted.length - 1] + axis];
      return [Number.isNaN(low) ? last : low, Number.isNaN(high) ? last : high];
    });
    const half = Math.max(sides[0][1] - sides[0][0], sides[1][1] - sides[1][0]) / 2 || 1;
    this.home = { x: (sides[0][0] + sides[0][1]) / 2, y: (sides[1][0] + sides[1][1]) / 2, s: 0.86 / half };
    this.view = this.home;
  }

  camera(size: Size): DualCamera {
    this.prepare();
    return { ...this.view, s: (this.view.s * Math.min(size.width, size.height)) / 2 };
  }

  follow(drawn: DualCamera, now: DualCamera, { width, height }: Size): Move {
    const k = now.s / drawn.s;
    return {
      scale: [k, k],
      shift: [((1 - k) * width) / 2 + (drawn.x - now.x) * now.s, ((1 - k) * height) / 2 - (drawn.y - now.y) * now.s],
    };
  }

  private radius(cell: number, size: Size): number {
    const share = Math.sqrt(this.areas[cell] / this.cx.totalArea);
    return Math.min(11, Math.max(1.1, 0.1 * Math.min(size.width, size.height) * share));
  }

  *draw(raster: Raster, camera: DualCamera, size: Size): Generator<void> {
    const { cx, paint } = this, shown = this.state.shown, { ratio } = size;
    raster.clear(paint.paper);
    let end = performance.now() + SLICE_MS;
    const at = (i: number): [number, number] => this.pixel(camera, size, i);
    const w = size.width * ratio, h = size.height * ratio, grey = paint.faded(paint.ink);
    const [ox, oy] = [(size.width / 2 - camera.x * camera.s) * ratio, (size.height / 2 + camera.y * camera.s) * ratio];
    raster.line(ox, 0, ox, h, grey, ratio, 0.6);
    raster.line(0, oy, w, oy, grey, ratio, 0.6);
    if (shown.graph) {
      const { starts } = cx.cells, alpha = Math.min(0.5, Math.max(0.08, 400 / cx.n));
      for (let i = 0; i < cx.n; i++) {
        const [x, y] = at(this.representative[i]);
        for (let j = starts[i]; j < starts[i + 1]; j++) {
          if (cx.neighbor[j] < i) continue;
          const [a, b] = at(this.representative[cx.neighbor[j]]);
          raster.line(x * ratio, y * ratio, a * ratio, b * ratio, paint.ink, 0.8 * ratio, alpha);
        }
        if (i % 256 === 255 && performance.now() > end) yield, (end = performance.now() + SLICE_MS);
      }
    }
    for (let k = 0; k < this.order.length; k++) {
      const i = this.order[k], [x, y] = at(i);
      raster.disc(x * ratio, y * ratio, this.radius(i, size) * ratio, i, paint.single(shown, i), paint.ink);
      if (k % 256 === 255 && performance.now() > end) yield, (end = performance.now() + SLICE_MS);
    }
  }

  private pixel(camera: DualCamera, size: Size, i: number): [number, number] {
    return [
      size.width / 2 + (this.points[2 * i] - camera.x) * camera.s,
      size.height / 2 - (this.points[2 * i + 1] - camera.y) * camera.s,
    ];
  }

  place(_x: number, _y: number, cell: number): [number, number] | null {
    return cell < 0 ? null : [this.cx.centers[2 * cell], this.cx.centers[2 * cell + 1]];
  }

  overlay(c: CanvasRenderingContext2D, size: Size): void {
    const camera = this.camera(size), { selected, hovered } = this.state.shown;
    for (const [cell, color, width] of [[selected, "#c2185b", 3], [hovered, "#111111", 2]] as const) {
      if (cell < 0) continue;
      const i = this.representative[cell], [x, y] = this.pixel(camera, size, i);
      c.beginPath();
      c.arc(x, y, this.radius(i, size) + 4, 0, 7);
      c.lineWidth = width + 2.4, c.strokeStyle = "#ffffff", c.stroke();
      c.lineWidth = width, c.strokeStyle = color, c.stroke();
    }
    const half = [size.width / 2 / camera.s, size.height / 2 / camera.s], [u, v] = this.cx.told.coordinates;
    axisTicks(c, size, [camera.x - half[0], camera.x + half[0]], [camera.y - half[1], camera.y + half[1]]);
    halo(c, `slope along ${u}`, size.width - 8, size.height - 24, "right");
    c.save();
    c.translate(14, 8);
    c.rotate(-Math.PI / 2);
    halo(c, `slope along ${v}`, 0, 30, "right");
    c.restore();
  }

  drag(dx: number, dy: number, size: Size): void {
    const s = this.camera(size).s;
    this.view = { ...this.view, x: this.view.x - dx / s, y: this.view.y + dy / s };
  }

  zoom(factor: number, x: number, y: number, size: Size): void {
    const s = this.camera(size).s, k = 1 - 1 / factor;
    const next = this.view.s * factor;
    if (next > this.home.s * 2 ** 30 || next < this.home.s / 256) return;
    this.view = {
      x: this.view.x + ((x - size.width / 2) / s) * k, y: this.view.y + ((size.height / 2 - y) / s) * k, s: next,
    };
  }

  reset(): void {
    this.view = this.home;
  }

  isStale(changed: Partial<Shown>): boolean {
    return ["by", "graph", "output"].some((key) => key in changed);
  }
}
