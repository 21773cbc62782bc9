// How are axes and scales lettered? Round numbers, in letters that are read on any color.

import type { Size } from "./view";

export function niceStep(span: number, most: number): number {
  const raw = span / most, power = 10 ** Math.floor(Math.log10(raw)), share = raw / power;
  return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

export function ticks(low: number, high: number, most: number): number[] {
  if (!(high > low)) return [];
  const step = niceStep(high - low, most), out: number[] = [];
  for (let k = Math.ceil(low / step); k * step <= high && out.length < 50; k++) out.push(k * step);
  return out;
}

/** A number in few digits: 0.0123, 1.2e-7. */
export function short(value: number, digits = 4): string {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e") : `${+value.toPrecision(digits)}`;
  return text.replaceAll("-", "−");
}

export function halo(c: CanvasRenderingContext2D, text: string, x: number, y: number, align: CanvasTextAlign): void {
  c.font = "12px system-ui, sans-serif";
  c.textAlign = align, c.textBaseline = "middle";
  c.lineWidth = 3.5, c.lineJoin = "round", c.strokeStyle = "rgba(255,255,255,.9)";
  c.strokeText(text, x, y);
  c.fillStyle = "#333333";
  c.fillText(text, x, y);
  c.textAlign = "left";
}

export function axisTicks(c: CanvasRenderingContext2D, { width, height }: Size, x: [number, number], y: [number, number]): void {
  for (const v of ticks(x[0], x[1], Math.max(2, width / 90))) {
    const at = ((v - x[0]) / (x[1] - x[0])) * width;
    if (at > 40 && at < width - 24) halo(c, short(v, 3), at, height - 9, "center");
  }
  for (const v of ticks(y[0], y[1], Math.max(2, height / 70))) {
    const at = height - ((v - y[0]) / (y[1] - y[0])) * height;
    if (at > 20 && at < height - 30) halo(c, short(v, 3), 6, at, "left");
  }
}
