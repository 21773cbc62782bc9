// What do inputs and maps look like that are images? One pixel a number.

import { Complex } from "./complex";

/** Draw an input in its own gray or colors. */
export function drawInput(canvas: HTMLCanvasElement, cx: Complex, x: Float64Array): void {
  const { channels, black, white } = cx.told.image!;
  draw(canvas, cx, (p, size) => {
    const level = (c: number) => (255 * (x[c * size + p] - black)) / (white - black);
    if (channels === 3) return [level(0), level(1), level(2)];
    const ink = 255 - level(0);
    return [ink, ink, ink];
  });
}

/** Draw an input that is told as levels from 0 to 255. */
export function drawLevels(canvas: HTMLCanvasElement, cx: Complex, levels: ArrayLike<number>): void {
  const { channels } = cx.told.image!;
  draw(canvas, cx, (p, size) => {
    if (channels === 3) return [levels[p], levels[size + p], levels[2 * size + p]];
    const ink = 255 - levels[p];
    return [ink, ink, ink];
  });
}

/** Draw the slopes of a map: white is none, red positive, blue negative; return the slope of the strongest color. */
export function drawMap(canvas: HTMLCanvasElement, cx: Complex, slopes: Float64Array): number {
  const { channels } = cx.told.image!, scale = cx.told.two_sided.map((c) => [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16)));
  const sizes = Float64Array.from(slopes, Math.abs).sort();
  const limit = sizes[Math.min(sizes.length - 1, Math.floor(0.995 * sizes.length))] || sizes[sizes.length - 1] || 1;
  draw(canvas, cx, (p, size) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += slopes[c * size + p];
    return scale[Math.min(255, Math.max(0, Math.round(((sum / channels / limit + 1) / 2) * 255)))];
  });
  return limit;
}

function draw(canvas: HTMLCanvasElement, cx: Complex, color: (pixel: number, size: number) => number[]): void {
  const { width, height } = cx.told.image!;
  canvas.width = width, canvas.height = height;
  const c = canvas.getContext("2d")!, image = c.createImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    const [r, g, b] = color(p, width * height);
    image.data.set([r, g, b, 255], 4 * p);
  }
  c.putImageData(image, 0, 0);
}
