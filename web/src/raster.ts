// How do polygons become pixels? Filled by rows into one picture that also knows whose each pixel is.
//
// A pixel belongs to the polygon that holds its middle, so polygons that share an edge neither overlap nor leave gaps;
// lines are smoothed by how much of a pixel they cover. One pass of 100,000 polygons takes some tens of milliseconds,
// in any browser, without a graphics card.

export const NOBODY = -1;

export class Raster {
  readonly ids: Int32Array;
  readonly pixels: Uint32Array;
  readonly image: ImageData;
  private depths: Float32Array | null = null;
  private top = 0;
  private bottom = -1;
  private readonly left: Float64Array;
  private readonly right: Float64Array;
  private readonly leftDepth: Float64Array;
  private readonly rightDepth: Float64Array;

  constructor(readonly width: number, readonly height: number) {
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.ids = new Int32Array(width * height);
    this.left = new Float64Array(height);
    this.right = new Float64Array(height);
    this.leftDepth = new Float64Array(height);
    this.rightDepth = new Float64Array(height);
  }

  clear(color: number, withDepth = false): void {
    this.pixels.fill(color);
    this.ids.fill(NOBODY);
    if (withDepth) (this.depths ??= new Float32Array(this.ids.length)).fill(-Infinity);
    else this.depths = null;
  }

  /** Fill a convex polygon of n corners with one color. */
  fill(xs: Float64Array, ys: Float64Array, n: number, id: number, color: number): void {
    this.rows(xs, ys, n);
    const { top, bottom } = this;
    const { left, right, width, ids, pixels } = this;
    for (let r = top; r <= bottom; r++) {
      const from = Math.max(0, Math.ceil(left[r] - 0.5)), to = Math.min(width, Math.ceil(right[r] - 0.5));
      for (let p = r * width + from, end = r * width + to; p < end; p++) {
        ids[p] = id;
        pixels[p] = color;
      }
    }
  }

  /** Fill a convex polygon with steps of a scale: at pixel (x, y) step base + x * dx + y * dy. */
  fillScale(
    xs: Float64Array, ys: Float64Array, n: number, id: number, scale: Uint32Array, base: number, dx: number, dy: number,
  ): void {
    this.rows(xs, ys, n);
    const { top, bottom } = this;
    const { left, right, width, ids, pixels } = this;
    const last = scale.length - 1;
    for (let r = top; r <= bottom; r++) {
      const from = Math.max(0, Math.ceil(left[r] - 0.5)), to = Math.min(width, Math.ceil(right[r] - 0.5));
      let step = base + (from + 0.5) * dx + (r + 0.5) * dy;
      for (let p = r * width + from, end = r * width + to; p < end; p++, step += dx) {
        ids[p] = id;
        pixels[p] = scale[step < 0 ? 0 : step > last ? last : step | 0];
      }
    }
  }

  /** Fill a convex polygon that has a depth at each corner, where it is before what is there. */
  fillDepth(xs: Float64Array, ys: Float64Array, zs: Float64Array, n: number, id: number, color: number): void {
    this.rows(xs, ys, n, zs);
    const { top, bottom } = this;
    const { left, right, leftDepth, rightDepth, width, ids, pixels } = this;
    const depths = this.depths!;
    for (let r = top; r <= bottom; r++) {
      const from = Math.max(0, Math.ceil(left[r] - 0.5)), to = Math.min(width, Math.ceil(right[r] - 0.5));
      const slope = right[r] > left[r] ? (rightDepth[r] - leftDepth[r]) / (right[r] - left[r]) : 0;
      let z = leftDepth[r] + (from + 0.5 - left[r]) * slope;
      for (let p = r * width + from, end = r * width + to; p < end; p++, z += slope) {
        if (z <= depths[p]) continue;
        depths[p] = z;
        ids[p] = id;
        pixels[p] = color;
      }
    }
  }

  /** Find where the rows of a convex polygon begin and end, from `top` to `bottom`. */
  private rows(xs: Float64Array, ys: Float64Array, n: number, zs?: Float64Array): void {
    let low = Infinity, high = -Infinity;
    for (let i = 0; i < n; i++) {
      if (ys[i] < low) low = ys[i];
      if (ys[i] > high) high = ys[i];
    }
    const top = Math.max(0, Math.ceil(low - 0.5)), bottom = Math.min(this.height, Math.ceil(high - 0.5)) - 1;
    this.top = top, this.bottom = bottom;
    const { left, right, leftDepth, rightDepth } = this;
    for (let r = top; r <= bottom; r++) left[r] = Infinity, right[r] = -Infinity;
    for (let i = 0; i < n; i++) {
      const j = i + 1 < n ? i + 1 : 0;
      const down = ys[i] <= ys[j], a = down ? i : j, b = down ? j : i; // the same numbers from both sides of an edge
      const first = Math.max(top, Math.ceil(ys[a] - 0.5)), last = Math.min(bottom, Math.ceil(ys[b] - 0.5) - 1);
      if (first > last) continue;
      const slope = (xs[b] - xs[a]) / (ys[b] - ys[a]), fall = zs ? (zs[b] - zs[a]) / (ys[b] - ys[a]) : 0;
      for (let r = first; r <= last; r++) {
        const below = r + 0.5 - ys[a], x = xs[a] + below * slope;
        if (x < left[r]) {
          left[r] = x;
          if (zs) leftDepth[r] = zs[a] + below * fall;
        }
        if (x > right[r]) {
          right[r] = x;
          if (zs) rightDepth[r] = zs[a] + below * fall;
        }
      }
    }
  }

  /** Draw a smoothed line; `alpha` in [0, 1]. */
  line(x0: number, y0: number, x1: number, y1: number, color: number, thickness: number, alpha: number): void {
    const reach = thickness + 2, { width, height, pixels } = this;
    if (x0 < 0 || x0 > width || x1 < 0 || x1 > width || y0 < 0 || y0 > height || y1 < 0 || y1 > height) {
      const clipped = clip(x0, y0, x1, y1, -reach, -reach, width + reach, height + reach);
      if (!clipped) return;
      [x0, y0, x1, y1] = clipped;
    }
    const steep = Math.abs(y1 - y0) > Math.abs(x1 - x0);
    let spare: number;
    if (steep) (spare = x0), (x0 = y0), (y0 = spare), (spare = x1), (x1 = y1), (y1 = spare);
    if (x0 > x1) (spare = x0), (x0 = x1), (x1 = spare), (spare = y0), (y0 = y1), (y1 = spare);
    const slope = x1 > x0 ? (y1 - y0) / (x1 - x0) : 0;
    const half = (thickness * Math.sqrt(1 + slope * slope)) / 2;
    const along = steep ? height : width, across = steep ? width : height;
    const first = Math.max(0, Math.floor(x0)), last = Math.min(along - 1, Math.ceil(x1) - 1);
    const red = color & 255, green = (color >> 8) & 255, blue = (color >> 16) & 255;
    for (let a = first; a <= last; a++) {
      const share = Math.min(a + 1, x1) - Math.max(a, x0); // ends cover a part of their pixels
      if (share <= 0) continue;
      const middle = y0 + (a + 0.5 - x0) * slope, low = middle - half, high = middle + half;
      const from = Math.max(0, Math.floor(low)), to = Math.min(across - 1, Math.floor(high));
      for (let b = from; b <= to; b++) {
        const cover = (Math.min(high, b + 1) - Math.max(low, b)) * share * alpha;
        if (cover <= 0) continue;
        const p = steep ? a * width + b : b * width + a, was = pixels[p];
        const wr = was & 255, wg = (was >> 8) & 255, wb = (was >> 16) & 255;
        pixels[p] =
          0xff000000 | ((wb + (blue - wb) * cover) << 16) | ((wg + (green - wg) * cover) << 8) | (wr + (red - wr) * cover);
      }
    }
  }

  /** Draw a smoothed disc that belongs to somebody. */
  disc(x: number, y: number, radius: number, id: number, color: number, rim: number): void {
    const { width, height, pixels, ids } = this;
    const x0 = Math.max(0, Math.floor(x - radius - 1)), x1 = Math.min(width - 1, Math.ceil(x + radius + 1));
    const y0 = Math.max(0, Math.floor(y - radius - 1)), y1 = Math.min(height - 1, Math.ceil(y + radius + 1));
    for (let r = y0; r <= y1; r++) {
      for (let c = x0; c <= x1; c++) {
        const dx = c + 0.5 - x, dy = r + 0.5 - y, d = Math.sqrt(dx * dx + dy * dy), cover = Math.min(1, Math.max(0, radius + 0.5 - d));
        if (cover <= 0) continue;
        const p = r * width + c;
        if (cover > 0.5) ids[p] = id;
        pixels[p] = mix(pixels[p], radius > 2.5 && d > radius - 1 ? rim : color, cover);
      }
    }
  }
}

/** A color between two, as a pixel. */
export function mix(from: number, to: number, share: number): number {
  const part = (shift: number) => {
    const a = (from >> shift) & 255, b = (to >> shift) & 255;
    return (a + (b - a) * share) << shift;
  };
  return (0xff000000 | part(16) | part(8) | part(0)) >>> 0;
}

/** A color such as "#6facf2" as a pixel. */
export function pixelOf(color: string): number {
  const n = parseInt(color.slice(1), 16);
  return (0xff000000 | ((n & 255) << 16) | (n & 0xff00) | (n >> 16)) >>> 0;
}

/** The part of a segment inside of a rectangle. */
export function clip(
  x0: number, y0: number, x1: number, y1: number, left: number, top: number, right: number, bottom: number,
): [number, number, number, number] | null {
  const dx = x1 - x0, dy = y1 - y0;
  let from = 0, to = 1;
  for (const [p, q] of [[-dx, x0 - left], [dx, right - x0], [-dy, y0 - top], [dy, bottom - y0]]) {
    if (p === 0) {
      if (q < 0) return null;
    } else if (p < 0) from = Math.max(from, q / p);
    else to = Math.min(to, q / p);
  }
  if (from > to) return null;
  return [x0 + from * dx, y0 + from * dy, x0 + to * dx, y0 + to * dy];
}
