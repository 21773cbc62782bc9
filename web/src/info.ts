// What is said of a cell? Class, area, outputs, what its pattern differs in, its facets and what is behind them.

import { Complex, NO_CLASS } from "./complex";
import { button, el, swatch } from "./dom";
import { inputAt, inputSlopes } from "./maps";
import type { Paint } from "./paint";
import { Patterns } from "./patterns";
import { drawInput, drawMap } from "./pictures";
import type { State } from "./state";
import { short } from "./ticks";
import { behind, className, counted, flipsText, percent } from "./words";

const MOST_OUTPUTS = 10, MOST_FACETS = 60, MOST_FLIPS = 4;

export interface Jump {
  select(cell: number): void;
  show(cell: number): void;
}

export class Info {
  readonly pointed = el("section", { class: "atlas-card atlas-pointed", "aria-label": "the cell that is pointed at" });
  readonly chosen = el("section", { class: "atlas-card atlas-chosen", "aria-label": "the chosen cell" });
  private readonly patterns: Patterns;
  private readonly inputPicture = el("canvas", { class: "atlas-picture" });
  private readonly mapPicture = el("canvas", { class: "atlas-picture" });
  private mapOf = "";
  private mapLimit = 0;

  constructor(private readonly cx: Complex, private readonly state: State, private readonly paint: Paint, private readonly jump: Jump) {
    this.patterns = new Patterns(cx);
    cx.listen(() => {
      this.mapOf = "";
    });
    this.update();
    this.choose();
  }

  /** Tell of the cell under the pointer; of the chosen one where there is none. */
  update(): void {
    const { hovered, selected, at } = this.state.shown, { cx } = this;
    const cell = hovered >= 0 ? hovered : selected;
    if (cell < 0) {
      this.pointed.replaceChildren(
        el("h2", {}, "Cell"),
        el("p", { class: "atlas-soft" }, "Point at a cell to read it. Click it to see its facets and neighbors. The wheel, two fingers or + and − zoom."),
      );
      return;
    }
    const [x, y] = hovered >= 0 && at ? at : [cx.centers[2 * cell], cx.centers[2 * cell + 1]];
    const c = cx.classAt(cell, x, y);
    const rows: [string, string][] = [];
    rows.push(["area", `${short(cx.area[cell], 6)} · ${percent(cx.area[cell] / cx.totalArea)}`]);
    rows.push(["corners", `${cx.cells.starts[cell + 1] - cx.cells.starts[cell]}`]);
    const map = cx.find("map"), region = cx.find("region");
    if (map && region) rows.push(["affine map, region", `${map[cell].toLocaleString("en-US")}, ${region[cell].toLocaleString("en-US")}`]);
    this.pointed.replaceChildren(
      this.heading(cell, c),
      facts(rows),
      this.outputs(cell, x, y),
      ...this.difference(cell),
      ...this.pictures(cell, x, y),
    );
  }

  private heading(cell: number, c: number): HTMLElement {
    const { cx } = this, chip = el("span", { class: "atlas-chip" }, className(cx, c));
    if (cx.classes) {
      const look = cx.told.classes[c];
      chip.style.background = look?.color ?? cx.told.tie.color;
      chip.style.color = look?.ink ?? "#000000";
    }
    return el("h2", {}, `Cell ${cx.numberOf(cell).toLocaleString("en-US")}`, cx.classes && chip);
  }

  private outputs(cell: number, x: number, y: number): HTMLElement {
    const { cx } = this, { told } = cx, m = told.n_outputs, [u, v] = told.coordinates;
    const values = Array.from({ length: m }, (_, c) => cx.value(cell, c, x, y));
    let shown = values.map((_, c) => c);
    if (m > MOST_OUTPUTS) {
      const sign = told.decides === "min" ? 1 : -1;
      shown = shown.sort((a, b) => sign * (values[a] - values[b])).slice(0, MOST_OUTPUTS);
    }
    const head = ["output", "here", `per ${u}`, `per ${v}`];
    const body = shown.map((c) => {
      const at = 3 * (cell * m + c), cells = [values[c], cx.outputs[at], cx.outputs[at + 1]];
      return el("tr", {}, el("th", { scope: "row" }, told.output_names[c].replace(/^output /, "")), ...cells.map((n) => el("td", {}, short(n))));
    });
    return el(
      "table", { class: "atlas-numbers" },
      el("thead", {}, el("tr", {}, ...head.map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, ...body),
      m < told.outputs_in_all || shown.length < m
        ? el("caption", {}, `${shown.length} of ${told.outputs_in_all.toLocaleString("en-US")} outputs`) : null,
    );
  }

  private difference(cell: number): HTMLElement[] {
    const { selected } = this.state.shown, { cx } = this;
    if (selected < 0 || selected === cell) return [];
    const flips = this.patterns.between(selected, cell);
    const text = `${counted(flips.length, "unit")} differ${flips.length === 1 ? "s" : ""} from the chosen cell: ${flipsText(cx, flips, MOST_FLIPS)}.`;
    return [el("p", { class: "atlas-difference" }, text)];
  }

  private pictures(cell: number, x: number, y: number): HTMLElement[] {
    const { cx } = this, { image, weights } = cx.told;
    if (!image) return [];
    const out: HTMLElement[] = [], input = inputAt(cx, x, y), q = this.paint.quantity(this.state.shown.output);
    if (input) {
      drawInput(this.inputPicture, cx, input);
      this.inputPicture.setAttribute("role", "img");
      this.inputPicture.setAttribute("aria-label", "the input at this place");
      out.push(el("figure", {}, this.inputPicture, el("figcaption", {}, "the input here")));
    }
    if (weights) {
      const key = `${cell}/${this.state.shown.output}`;
      if (key !== this.mapOf) {
        this.mapOf = key;
        this.mapLimit = drawMap(this.mapPicture, cx, inputSlopes(cx, this.patterns.of(cell), this.outputWeights(cell))!);
        this.mapPicture.setAttribute("role", "img");
        this.mapPicture.setAttribute("aria-label", `the slopes of ${q.name} along each input`);
      }
      out.push(el("figure", {}, this.mapPicture, el("figcaption", {}, `map of ${q.name}, ±${short(this.mapLimit, 2)}`)));
    } else out.push(el("p", { class: "atlas-soft" }, "The network is too large to carry its maps in a page; `reluatlas view` shows them."));
    return [el("div", { class: "atlas-pictures" }, ...out)];
  }

  /** How outputs are joined to what is shown: one of them, a difference, or the one that decides. */
  outputWeights(cell: number): Float64Array {
    const { told, classes } = this.cx, { output } = this.state.shown, out = new Float64Array(told.outputs_in_all);
    if (output >= 0 || out.length === 1) out[Math.max(0, output)] = 1;
    else if (out.length === 2) (out[1] = 1), (out[0] = -1);
    else out[classes && classes[cell] !== NO_CLASS ? classes[cell] : 0] = 1;
    return out;
  }

  /** The slopes of what is shown along each input, for tests and for those who look with their own tools. */
  slopes(cell: number, weights: Float64Array): Float64Array | null {
    return inputSlopes(this.cx, this.patterns.of(cell), weights);
  }

  pattern(cell: number): Uint32Array {
    return this.patterns.of(cell);
  }

  /** List the facets of the chosen cell. */
  choose(): void {
    const { selected } = this.state.shown, { cx } = this;
    this.chosen.hidden = selected < 0;
    if (selected < 0) return this.chosen.replaceChildren();
    const from = cx.cells.starts[selected], to = cx.cells.starts[selected + 1];
    const items: HTMLElement[] = [];
    for (let j = from; j < Math.min(to, from + MOST_FACETS); j++) {
      const neighbor = cx.neighbor[j], column = cx.column[j];
      const unit = column === cx.noColumn ? "side of the domain" : cx.unitName(column);
      const item = el("li", {});
      if (column !== cx.noColumn) item.append(swatch(cx.told.layer_colors[cx.levels[j]], "atlas-line"));
      item.append(el("span", { class: "atlas-unit" }, unit));
      if (neighbor >= 0) {
        const flips = this.patterns.between(selected, neighbor);
        const others = flips.filter((f) => f.column !== column);
        const own = flips.find((f) => f.column === column);
        if (own) item.append(el("span", { class: "atlas-soft" }, flipsText(cx, [own], 1).split(": ").pop()!));
        if (others.length) item.append(el("span", { class: "atlas-soft" }, `and ${flipsText(cx, others, MOST_FLIPS)}`));
        item.append(button(behind(cx, neighbor), () => this.jump.select(neighbor), { class: "atlas-link" }));
      } else item.append(el("span", { class: "atlas-soft" }, behind(cx, neighbor)));
      items.push(item);
    }
    this.chosen.replaceChildren(
      el("h2", {}, `Facets of cell ${cx.numberOf(selected).toLocaleString("en-US")}`),
      el("ol", { class: "atlas-facets" }, ...items),
      ...(to - from > MOST_FACETS ? [el("p", { class: "atlas-soft" }, `and ${counted(to - from - MOST_FACETS, "more facet")}`)] : []),
      el("p", { class: "atlas-row" },
        button("Zoom to it", () => this.jump.show(selected)), button("Let go", () => this.jump.select(-1), { title: "Escape" })),
    );
  }
}

function facts(rows: [string, string][]): HTMLElement {
  return el("dl", { class: "atlas-facts" }, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}
