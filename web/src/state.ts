// What is shown? One state for all views, told to whoever asks, and kept in the address behind the #.

import type { Complex } from "./complex";

export type ViewName = "plane" | "dual" | "surface";
export type ColorBy = "class" | "map" | "layer" | "value";

export const VIEWS: Record<ViewName, string> = { plane: "Cells", dual: "Dual points", surface: "Surface" };
export const COLORS: Record<ColorBy, string> = { class: "class", map: "affine map", layer: "layer of each edge", value: "value" };

export interface Shown {
  view: ViewName;
  beside: ViewName;
  by: ColorBy;
  output: number; // whose values; -1: what decides
  hidden: Set<number>; // layers whose edges are not drawn
  edges: boolean;
  boundary: boolean;
  graph: boolean;
  hovered: number; // a cell, or -1
  selected: number;
  at: [number, number] | null; // the place that is pointed at
  x: number; // middle of the plane, and 2^zoom times as large as the whole
  y: number;
  zoom: number;
  azimuth: number;
  elevation: number;
}

type Listener = (changed: Partial<Shown>) => void;

export class State {
  readonly shown: Shown;
  private readonly listeners: Listener[] = [];
  private writing = 0;
  private wrote = "";

  /** Without an address of its own nothing is read from there or written to it. */
  constructor(private cx: Complex, private readonly hasAddress = true) {
    const [x0, y0] = cx.told.low, [x1, y1] = cx.told.high;
    this.shown = {
      view: "plane", beside: "dual", by: cx.classes ? "class" : "map", output: -1, hidden: new Set(), edges: true,
      boundary: true, graph: false, hovered: -1, selected: -1, at: null, x: (x0 + x1) / 2, y: (y0 + y1) / 2, zoom: 0,
      azimuth: -1.05, elevation: 0.62,
    };
    this.read();
  }

  listen(listener: Listener): void {
    this.listeners.push(listener);
  }

  set(changed: Partial<Shown>): void {
    const before = this.shown as unknown as Record<string, unknown>;
    const news = Object.fromEntries(Object.entries(changed).filter(([key, value]) => before[key] !== value));
    if (!Object.keys(news).length) return;
    if (news.view === this.shown.beside) news.beside = this.shown.view;
    else if (news.beside !== undefined && news.beside === this.shown.view) delete news.beside;
    Object.assign(this.shown, news);
    for (const listener of this.listeners) listener(news as Partial<Shown>);
    if (Object.keys(news).some((key) => key !== "hovered" && key !== "at")) this.write();
  }

  /** The state as the text behind the # of an address. */
  hash(): string {
    const s = this.shown, out = new URLSearchParams();
    out.set("view", s.view);
    out.set("by", s.by);
    if (s.beside !== "dual") out.set("beside", s.beside);
    if (s.output >= 0) out.set("output", `${s.output}`);
    out.set("x", `${s.x}`);
    out.set("y", `${s.y}`);
    out.set("zoom", `${+s.zoom.toFixed(3)}`);
    if (s.selected >= 0) out.set("cell", `${this.cx.numberOf(s.selected)}`);
    if (s.hidden.size) out.set("hide", [...s.hidden].map((l) => l + 1).sort((a, b) => a - b).join("."));
    if (!s.edges) out.set("edges", "0");
    if (!s.boundary) out.set("boundary", "0");
    if (s.graph) out.set("graph", "1");
    if (s.view === "surface" || s.beside === "surface") {
      out.set("turn", `${s.azimuth.toFixed(3)}`);
      out.set("tilt", `${s.elevation.toFixed(3)}`);
    }
    return `#${out}`;
  }

  private write(): void {
    if (!this.hasAddress) return;
    clearTimeout(this.writing);
    this.writing = window.setTimeout(() => {
      this.wrote = this.hash();
      try {
        history.replaceState(null, "", this.wrote);
      } catch {
        /* a page without an address of its own */
      }
    }, 250);
  }

  /** Take over what the address says; what makes no sense there is left as it is. */
  read(): void {
    if (!this.hasAddress || location.hash.length < 2 || location.hash === this.wrote) return;
    const asked = new URLSearchParams(location.hash.slice(1)), s = this.shown, { told } = this.cx;
    const number = (key: string, low: number, high: number, otherwise: number) => {
      const text = asked.get(key), value = text === null || text === "" ? NaN : Number(text);
      return Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : otherwise;
    };
    const one = <T extends string>(key: string, table: Record<T, string>, otherwise: T) =>
      Object.hasOwn(table, asked.get(key) ?? "") ? (asked.get(key) as T) : otherwise;
    const cell = asked.get("cell"), hide = asked.get("hide");
    const by = one("by", COLORS, s.by);
    this.set({
      view: one("view", VIEWS, s.view), by: by === "class" && !this.cx.classes ? s.by : by,
      output: Math.round(number("output", -1, told.n_outputs - 1, -1)),
      x: number("x", told.low[0], told.high[0], s.x), y: number("y", told.low[1], told.high[1], s.y),
      zoom: number("zoom", -1, 60, s.zoom), selected: cell === null || cell === "" ? -1 : this.cx.cellOf(Number(cell)),
      hidden: new Set(hide ? hide.split(".").map((l) => Number(l) - 1).filter((l) => l >= 0 && l < told.layers.length) : []),
      edges: asked.get("edges") !== "0", boundary: asked.get("boundary") !== "0", graph: asked.get("graph") === "1",
      azimuth: number("turn", -1e6, 1e6, s.azimuth), elevation: number("tilt", 0.05, 1.55, s.elevation),
    });
    this.set({ beside: one("beside", VIEWS, s.beside) });
  }
}
