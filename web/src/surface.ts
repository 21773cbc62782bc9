// What does the function look like? Its graph over the plane, seen from the side, each cell a plane piece.

import { bounds, Complex } from "./complex";
import { Paint, pieceRange } from "./paint";
import { mix, Raster } from "./raster";
import type { Shown, State } from "./state";
import { halo, short } from "./ticks";
import type { Move, Size, View } from "./view";

interface SurfaceCamera {
  ca: number;
  sa: number;
  ce: number;
  se: number;
  s: number; // pixels to half of the plane's longer side
  dx: number;
  dy: number;
}

const SLICE_MS = 10;
const HEIGHT = 0.62; // of the whole range, to half of the longer side
const SUN = [-0.45, -0.55, 0.7].map((v) => v / Math.hypot(0.45, 0.55, 0.7));
const BLACK = 0xff000000, WHITE = 0xffffffff;

export class Surface implements View<SurfaceCamera> {
  readonly name = "surface";
  private readonly xs = new Float64Array(70000);
  private readonly ys = new Float64Array(70000);
  private readonly zs = new Float64Array(70000);
  private scale = 1;
  private dx = 0;
  private dy = 0;

  constructor(private readonly cx: Complex, private readonly paint: Paint, private readonly state: State) {}

  camera(size: Size): SurfaceCamera {
    const { azimuth, elevation } = this.state.shown, s = Math.min(size.width / 2.9, size.height / 2.4) * this.scale;
    return {
      ca: Math.cos(azimuth), sa: Math.sin(azimuth), ce: Math.cos(elevation), se: Math.sin(elevation), s,
      dx: this.dx, dy: this.dy,
    };
  }

  follow(a: SurfaceCamera, b: SurfaceCamera, { width, height }: Size): Move | null {
    if (a.ca !== b.ca || a.sa !== b.sa || a.se !== b.se) return null;
    const k = b.s / a.s;
    return {
      scale: [k, k], shift: [(width / 2) * (1 - k) + b.dx - k * a.dx, 0.46 * height * (1 - k) + b.dy - k * a.dy],
    };
  }

  /** From the plane and a height to pixels and a depth. */
  private project(camera: SurfaceCamera, { width, height }: Size): (x: number, y: number, h: number) => [number, number, number] {
    const { low, high } = bounds(this.cx.told), [zl, zh] = this.paint.heights(this.state.shown.output);
    const half = Math.max(high[0] - low[0], high[1] - low[1]) / 2;
    const sides = [0, 1].map((a) => Math.max((high[a] - low[a]) / 2 / half, 0.3));
    const mx = (low[0] + high[0]) / 2, my = (low[1] + high[1]) / 2;
    const { ca, sa, ce, se, s, dx, dy } = camera;
    const ox = width / 2 + dx, oy = 0.46 * height + dy;
    const ux = (2 * sides[0]) / (high[0] - low[0]), uy = (2 * sides[1]) / (high[1] - low[1]);
    return (x, y, h) => {
      const a = (x - mx) * ux, b = (y - my) * uy, t = HEIGHT * ((2 * (h - zl)) / (zh - zl) - 1);
      const far = ca * a + sa * b;
      return [ox + s * (ca * b - sa * a), oy + s * (far * se - t * ce), far * ce + t * se];
    };
  }

  *draw(raster: Raster, camera: SurfaceCamera, size: Size): Generator<void> {
    const { cx, paint, xs, ys, zs } = this, { cells, pieces } = cx, shown = this.state.shown, { ratio } = size;
    raster.clear(paint.paper, true);
    let end = performance.now() + SLICE_MS;
    const project = this.project(camera, size), q = paint.quantity(shown.output);
    const [zl, zh] = paint.heights(shown.output), { low, high } = bounds(cx.told);
    const floor: [number, number][] = [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]];
    floor.forEach(([x, y], i) => {
      const [a, b] = project(x, y, zl), [c, d] = project(...floor[(i + 1) % 4], zl);
      raster.line(a * ratio, b * ratio, c * ratio, d * ratio, paint.ink, ratio, 0.35);
    });
    const steep = [0, 1].map((a) => ((high[a] - low[a]) * HEIGHT) / (zh - zl));
    const outlined = cx.n <= 4000 && shown.edges;
    const put = (xy: Float64Array, from: number, to: number, cell: number, piece: number) => {
      let k = 0;
      for (let v = from; v < to; v++, k++) {
        const x = xy[2 * v], y = xy[2 * v + 1], h = q.value(cell, piece, x, y), [a, b, z] = project(x, y, h);
        xs[k] = a * ratio, ys[k] = b * ratio, zs[k] = z;
      }
      const [gx, gy] = q.slope(cell, piece), nx = -gx * steep[0], ny = -gy * steep[1];
      const light = 0.8 + 0.28 * ((nx * SUN[0] + ny * SUN[1] + SUN[2]) / Math.sqrt(nx * nx + ny * ny + 1));
      const color = shown.by === "value" || shown.by === "layer" ? paint.single({ ...shown, by: "value" }, cell) : paint.of(shown.by, cell, piece);
      raster.fillDepth(xs, ys, zs, k, cell, light < 1 ? mix(color, BLACK, 1 - light) : mix(color, WHITE, (light - 1) * 1.5));
    };
    for (let i = 0; i < cx.n; i++) {
      const [first, last] = pieceRange(cx, i);
      if (first < 0) put(cells.xy, cells.starts[i], cells.starts[i + 1], i, -1);
      for (let p = first; p >= 0 && p < last; p++) put(pieces.xy, pieces.starts[p], pieces.starts[p + 1], i, p);
      if (i % 512 === 511 && performance.now() > end) yield, (end = performance.now() + SLICE_MS);
    }
    if (outlined) this.outlines(raster);
  }

  /** Darken pixels where one cell ends and another begins: edges that are hidden stay so. */
  private outlines(raster: Raster): void {
    const { ids, pixels, width, height } = raster;
    for (let y = 0; y < height - 1; y++) {
      for (let p = y * width, e = p + width - 1; p < e; p++) {
        if (ids[p] !== ids[p + 1] || ids[p] !== ids[p + width]) pixels[p] = mix(pixels[p], BLACK, 0.55);
      }
    }
  }

  place(_x: number, _y: number, cell: number): [number, number] | null {
    return cell < 0 ? null : [this.cx.centers[2 * cell], this.cx.centers[2 * cell + 1]];
  }

  overlay(c: CanvasRenderingContext2D, size: Size): void {
    const camera = this.camera(size), project = this.project(camera, size), { told, cells, firstPiece } = this.cx;
    const shown = this.state.shown, q = this.paint.quantity(shown.output), [zl, zh] = this.paint.heights(shown.output);
    for (const [cell, color, width] of [[shown.selected, "#c2185b", 2.6], [shown.hovered, "#111111", 1.8]] as const) {
      if (cell < 0) continue;
      c.beginPath();
      for (let v = cells.starts[cell]; v < cells.starts[cell + 1]; v++) {
        const x = cells.xy[2 * v], y = cells.xy[2 * v + 1], [a, b] = project(x, y, q.value(cell, firstPiece[cell], x, y));
        c.lineTo(a, b);
      }
      c.closePath();
      c.lineJoin = "round", c.lineWidth = width + 2.4, c.strokeStyle = "#ffffff", c.stroke();
      c.lineWidth = width, c.strokeStyle = color, c.stroke();
    }
    const { low, high } = bounds(told), xs = camera.ca > 0 ? high[0] : low[0], ys = camera.sa > 0 ? high[1] : low[1];
    const put = (x: number, y: number, h: number, text: string, align: CanvasTextAlign, down = 14) => {
      const [a, b] = project(x, y, h);
      halo(c, text, a, b + down, align);
    };
    const front = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
    const isLeft = (x: number, y: number): CanvasTextAlign => (project(x, y, zl)[0] < size.width / 2 + camera.dx ? "right" : "left");
    put(front[0], ys, zl, told.coordinates[0], isLeft(front[0], ys), 20);
    put(xs, front[1], zl, told.coordinates[1], isLeft(xs, front[1]), 20);
    for (const x of low[0] === xs ? [high[0]] : [low[0]]) put(x, ys, zl, short(x, 3), isLeft(x, ys));
    for (const y of low[1] === ys ? [high[1]] : [low[1]]) put(xs, y, zl, short(y, 3), isLeft(xs, y));
    halo(c, `${q.name}: ${short(zl)} to ${short(zh)}`, size.width - 10, 14, "right");
  }

  drag(dx: number, dy: number, _size: Size, isMoving: boolean): void {
    if (isMoving) {
      this.dx += dx, this.dy += dy;
      return;
    }
    const { azimuth, elevation } = this.state.shown;
    this.state.set({ azimuth: azimuth - dx / 140, elevation: Math.min(1.55, Math.max(0.05, elevation + dy / 180)) });
  }

  zoom(factor: number, x: number, y: number, size: Size): void {
    const next = Math.min(64, Math.max(0.4, this.scale * factor)), k = next / this.scale;
    const cx = x - size.width / 2, cy = y - 0.46 * size.height;
    this.scale = next, this.dx = cx - (cx - this.dx) * k, this.dy = cy - (cy - this.dy) * k;
  }

  reset(): void {
    this.scale = 1, this.dx = this.dy = 0;
    this.state.set({ azimuth: -1.05, elevation: 0.62 });
  }

  isStale(changed: Partial<Shown>): boolean {
    return ["by", "output", "azimuth", "elevation", "edges"].some((key) => key in changed);
  }
}
