// How are numbers and cells said? In few words, the same everywhere.

import { Complex, LEFT_OUT, NO_CLASS, SIDE, UNEXPLORED } from "./complex";
import { Flip, flipText } from "./patterns";
import { short } from "./ticks";

export const counted = (n: number, noun: string): string => `${n.toLocaleString("en-US")} ${noun}${n === 1 ? "" : "s"}`;

export function percent(share: number): string {
  const value = 100 * share;
  return value === 0 ? "0 %" : value >= 0.01 ? `${+value.toPrecision(3)} %` : `${short(value, 2)} %`;
}

export function subtitle(cx: Complex): string {
  const { told } = cx;
  const parts = [
    counted(told.n_all, "cell") + (told.window ? " in the window" : "") + (told.is_complete ? "" : " so far"), told.exactness,
    counted(told.layers.length, "layer") + " of units", `${counted(told.n_inputs, "input")}, ${counted(told.outputs_in_all, "output")}`,
  ];
  return parts.join(" · ");
}

export function behind(cx: Complex, neighbor: number): string {
  if (neighbor === SIDE) return "the domain ends here";
  if (neighbor === UNEXPLORED) return "not looked at: the search was stopped";
  if (neighbor === LEFT_OUT) return "a cell that is left out here";
  return `cell ${cx.numberOf(neighbor).toLocaleString("en-US")}`;
}

export function flipsText(cx: Complex, flips: Flip[], most: number): string {
  const shown = flips.slice(0, most).map((f) => flipText(cx, f)).join("; ");
  return flips.length > most ? `${shown}; and ${(flips.length - most).toLocaleString("en-US")} more` : shown;
}

export function summary(cx: Complex, cell: number, c: number): string {
  const kind = cx.classes && c !== NO_CLASS ? `, ${className(cx, c)}` : "";
  return `Cell ${cx.numberOf(cell)}${kind}, area ${short(cx.area[cell])}, ${cx.cells.starts[cell + 1] - cx.cells.starts[cell]} corners.`;
}

export function className(cx: Complex, c: number): string {
  if (c === NO_CLASS) return "a tie";
  const name = cx.className(c);
  return /^\d+$/.test(name) ? `class ${name}` : name;
}
