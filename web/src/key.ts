// What do the colors stand for? The key, from which layers are shown and hidden.

import { Complex } from "./complex";
import { button, el, swatch } from "./dom";
import type { Paint } from "./paint";
import type { State } from "./state";
import { short } from "./ticks";
import { className, counted, percent } from "./words";

export class Key {
  readonly root = el("section", { class: "atlas-card atlas-key", "aria-label": "key" });
  private edges: number[] = [];
  private shares: number[] | null = null;

  constructor(private readonly cx: Complex, private readonly state: State, private readonly paint: Paint) {
    this.load();
    cx.listen(() => this.load());
  }

  private load(): void {
    const { cx } = this;
    this.shares = null;
    this.edges = cx.told.layers.map(() => 0);
    for (let j = 0, i = 0; j < cx.neighbor.length; j++) {
      while (j >= cx.cells.starts[i + 1]) i++;
      if (cx.levels[j] < this.edges.length && (cx.neighbor[j] < 0 || cx.neighbor[j] > i)) this.edges[cx.levels[j]]++;
    }
    this.update();
  }

  update(): void {
    this.root.replaceChildren(el("h2", {}, "Key"), ...this.colors(), ...this.layers());
  }

  private colors(): HTMLElement[] {
    const { cx, state } = this, { by, output } = state.shown, { told } = cx;
    if (by === "class") {
      const shares = (this.shares ??= classShares(cx));
      const rows = told.classes.flatMap((look, c) =>
        look.is_seen ? [el("li", {}, swatch(look.color), el("span", {}, className(cx, c)), el("span", { class: "atlas-soft atlas-end" }, percent(shares[c])))] : []);
      if (told.tie.is_seen) rows.push(el("li", {}, swatch(told.tie.color), el("span", {}, "a tie")));
      return [el("ul", { class: "atlas-list" }, ...rows)];
    }
    if (by === "map") return [el("p", { class: "atlas-soft" }, "Equal affine maps have equal colors, similar maps similar ones.")];
    if (by === "layer") return [];
    const q = this.paint.quantity(output), [low, high] = this.paint.range(output);
    const bar = el("div", { class: "atlas-bar", role: "img", "aria-label": `colors from ${short(low)} to ${short(high)}` });
    bar.style.background = `linear-gradient(to right, ${(q.isTwoSided ? told.two_sided : told.one_sided).filter((_, i) => i % 15 === 0).join(",")})`;
    const middle = q.isTwoSided ? 0 : (low + high) / 2;
    return [
      el("p", { class: "atlas-quantity" }, q.name), bar,
      el("p", { class: "atlas-ends" }, ...[low, middle, high].map((v) => el("span", {}, short(v, 3)))),
    ];
  }

  private layers(): HTMLElement[] {
    const { cx, state } = this, { hidden } = state.shown, { layers, layer_colors } = cx.told;
    if (!layers.length) return [];
    const rows = layers.map((layer, i) => {
      const box = el("input", { type: "checkbox", "data-layer": `${i}` });
      box.checked = !hidden.has(i);
      box.addEventListener("change", () => this.toggle(i));
      const label = el("label", { class: "atlas-check" }, box, swatch(layer_colors[i], "atlas-line"), el("span", {}, layer.name));
      return el("li", {}, label, el("span", { class: "atlas-soft atlas-end" }, counted(this.edges[i], "edge")));
    });
    const up = el("input", { type: "range", min: "0", max: `${layers.length}`, step: "1", "aria-label": "show the edges of layers up to" });
    const first = layers.findIndex((_, i) => hidden.has(i));
    up.value = `${first < 0 ? layers.length : first}`;
    up.addEventListener("input", () => {
      state.set({ hidden: new Set(layers.map((_, i) => i).filter((i) => i >= Number(up.value))) });
    });
    const all = button("all", () => state.set({ hidden: new Set() }), { class: "atlas-link" });
    return [
      el("h3", {}, "Edges by layer"),
      el("ul", { class: "atlas-list" }, ...rows),
      el("label", { class: "atlas-upto" }, el("span", {}, "layer by layer"), up, all),
    ];
  }

  toggle(layer: number): void {
    const hidden = new Set(this.state.shown.hidden);
    if (!hidden.delete(layer)) hidden.add(layer);
    this.state.set({ hidden });
  }
}

function classShares(cx: Complex): number[] {
  const out = cx.told.classes.map(() => 0), { unit_area } = cx.told;
  for (let i = 0; i < cx.n; i++) if (cx.firstPiece[i] < 0 && cx.classes![i] < out.length) out[cx.classes![i]] += cx.area[i];
  const { starts, xy, count } = cx.pieces;
  for (let p = 0; p < count; p++) {
    let twice = 0;
    const a = 2 * starts[p];
    for (let v = starts[p] + 1; v + 1 < starts[p + 1]; v++) {
      twice += (xy[2 * v] - xy[a]) * (xy[2 * v + 3] - xy[a + 1]) - (xy[2 * v + 2] - xy[a]) * (xy[2 * v + 1] - xy[a + 1]);
    }
    if (cx.pieceClass[p] < out.length) out[cx.pieceClass[p]] += (twice / 2) * unit_area;
  }
  return out.map((a) => a / cx.totalArea);
}
