// What does a second network do on the same plane? Its own map, that of the difference, and the numbers of both at a place.

import { Complex, NO_CLASS, Told } from "./complex";
import { check, el, swatch } from "./dom";
import { Paint } from "./paint";
import { Panel } from "./panel";
import { Plane } from "./plane";
import { Shown, State } from "./state";
import { short } from "./ticks";
import { percent } from "./words";

const ROWS = 6, PAIRS = 8;
const IN_STEP = ["x", "y", "zoom", "edges", "boundary", "graph", "output"] as const;

interface Other {
  cx: Complex;
  state: State;
  panel: Panel;
  stage: HTMLElement;
}

/** The maps of the network beside, and of the difference; they follow the first one, and it follows them. */
export class Beside {
  readonly here = el("section", { class: "atlas-card atlas-here", "aria-label": "both networks at this place" });
  readonly toggles = el("div", { class: "atlas-row", role: "group", "aria-label": "maps that are shown" });
  private readonly others: (Other | null)[] = [null, null];

  constructor(
    private readonly maps: HTMLElement, private readonly cx: Complex, private readonly state: State, private readonly main: Panel, mainStage: HTMLElement,
  ) {
    const names = this.names;
    [mainStage, null, null].forEach((stage, which) => {
      const [label, box] = check([names[which]], true, (on) => {
        (stage ?? this.others[which - 1]?.stage)!.hidden = !on;
        this.maps.dataset.shown = `${this.maps.querySelectorAll(".atlas-stage:not([hidden])").length}`;
      });
      box.dataset.map = `${which}`;
      this.toggles.append(label);
    });
    state.listen((changed) => this.follow(changed));
    this.tell();
  }

  get names(): string[] {
    const [f, g] = this.cx.told.names ?? [];
    return [`f: ${f}`, `g: ${g}`, "f − g"];
  }

  /** Take over the cells of the network beside (1) or of the difference (2). */
  load(told: Told, data: ArrayBuffer, at: number): void {
    const k = told.which! - 1, known = this.others[k];
    if (told.preview) {
      known?.cx.move(told, data, at);
      known?.panel.renew();
      return;
    }
    if (known) {
      known.cx.load(told, data, at);
      known.panel.renew();
    } else this.others[k] = this.made(new Complex(told, data, at), told.which!);
    this.follow(this.state.shown);
    this.tell();
  }

  /** The plane has moved on: what is seen of the difference is of another one. */
  moved(told: Told): void {
    this.others[1]?.cx.blank(told);
    this.others[1]?.panel.renew();
  }

  private made(cx: Complex, which: number): Other {
    const state = new State(cx, false), paint = new Paint(cx), plane = new Plane(cx, paint, state);
    plane.showsPointer = true;
    const hand = {
      hover: (_cell: number, at: [number, number] | null) => this.state.set({ hovered: at ? this.cx.cellAt(...at) : -1, at }),
      click: (_cell: number, at: [number, number] | null) => {
        const cell = at ? this.cx.cellAt(...at) : -1;
        this.state.set({ selected: cell === this.state.shown.selected ? -1 : cell });
      },
    };
    const panel = new Panel(plane, state, hand, `${this.names[which]}. The same window of the same plane.`, this.main);
    const stage = el("div", { class: "atlas-stage", "data-which": `${which}` }, panel.root, el("div", { class: "atlas-name" }, this.names[which]));
    this.maps.insertBefore(stage, which === 1 ? this.others[1]?.stage ?? this.here : this.here);
    state.listen((changed) => {
      const back = Object.fromEntries(Object.entries(changed).filter(([key]) => key === "x" || key === "y" || key === "zoom"));
      if (Object.keys(back).length) this.state.set(back);
    });
    return { cx, state, panel, stage };
  }

  private follow(changed: Partial<Shown>): void {
    const now = this.state.shown;
    this.others.forEach((other, k) => {
      if (!other) return;
      const news: Record<string, unknown> = {};
      for (const key of IN_STEP) if (key in changed) news[key] = now[key];
      if ("by" in changed) news.by = k === 0 || now.by === "value" ? now.by : other.cx.classes ? "class" : "value";
      if (k === 0 && "hidden" in changed && other.cx.told.layers.length === this.cx.told.layers.length) news.hidden = now.hidden;
      if ("at" in changed || "hovered" in changed) news.at = now.at, news.hovered = now.at ? other.cx.cellAt(...now.at) : -1;
      if ("selected" in changed) {
        const { centers } = this.cx, s = now.selected;
        news.selected = s < 0 ? -1 : other.cx.cellAt(...(now.at ?? [centers[2 * s], centers[2 * s + 1]]));
      }
      if (Object.keys(news).length) other.state.set(news as Partial<Shown>);
    });
    if ("at" in changed || "selected" in changed) this.tell();
  }

  /** Say what both are at the place that is pointed at, and how far apart they are in the window. */
  private tell(): void {
    const [g, apart] = this.others, far = apart?.cx.told.difference;
    const parts: (HTMLElement | null)[] = [el("h2", {}, "Both networks")];
    if (apart && far) {
      const rows: [string, string][] = [];
      if (far.share !== null) rows.push(["classes differ on", `${percent(far.share)} of the window`]);
      const name = apart.cx.told.output_names[far.output];
      rows.push(["largest |f − g|", `${short(far.largest, 5)}${apart.cx.told.outputs_in_all > 1 ? `, of output ${name.replace(/^output /, "")}` : ""}`]);
      parts.push(el("dl", { class: "atlas-facts" }, ...rows.flatMap(([what, value]) => [el("dt", {}, what), el("dd", {}, value)])));
    }
    parts.push(this.table(g, apart) ?? el("p", { class: "atlas-soft" }, "Point at a place to read what both say there."));
    if (apart?.cx.classes) parts.push(pairs(apart.cx));
    this.here.replaceChildren(...parts.filter((part) => part !== null));
  }

  private table(g: Other | null, apart: Other | null): HTMLElement | null {
    const { at } = this.state.shown;
    if (!at || !g) return null;
    const [x, y] = at, cells = [this.cx, g.cx].map((cx) => cx.cellAt(x, y)), third = apart ? apart.cx.cellAt(x, y) : -1;
    if (cells[0] < 0 || cells[1] < 0) return null;
    const [a, b] = [this.cx, g.cx].map((cx, k) => cx.classAt(cells[k], x, y));
    const m = Math.min(this.cx.told.n_outputs, g.cx.told.n_outputs);
    const rows = Array.from({ length: m }, (_, c) => {
      const f = this.cx.value(cells[0], c, x, y), h = g.cx.value(cells[1], c, x, y);
      return { c, f, h, d: third < 0 || !apart ? f - h : apart.cx.value(third, c, x, y) };
    });
    rows.sort((p, q) => Math.abs(q.d) - Math.abs(p.d));
    const named = (cx: Complex, c: number) => (cx.classes && c !== NO_CLASS ? cx.className(c) : "");
    const classes = named(this.cx, a) || named(g.cx, b);
    return el("table", { class: "atlas-numbers" },
      el("thead", {}, el("tr", {}, ...["output", "f", "g", "f − g"].map((t) => el("th", { scope: "col" }, t)))),
      el("tbody", {},
        classes ? el("tr", {}, el("th", { scope: "row" }, "class"), el("td", {}, named(this.cx, a)), el("td", {}, named(g.cx, b)), el("td", {}, a === b ? "same" : "differ")) : null,
        ...rows.slice(0, ROWS).map(({ c, f, h, d }) =>
          el("tr", {}, el("th", { scope: "row" }, this.cx.told.output_names[c].replace(/^output /, "")), ...[f, h, d].map((v) => el("td", {}, short(v)))))),
      m > ROWS ? el("caption", {}, `the ${ROWS} of ${m} outputs that differ most`) : null);
  }
}

/** The classes that differ, the largest part of the window first. */
function pairs(cx: Complex): HTMLElement | null {
  const { classes } = cx.told, shares = classes.map(() => 0);
  for (let i = 0; i < cx.n; i++) shares[cx.classes![i]] += cx.area[i] / cx.totalArea;
  const shown = classes.map((look, c) => ({ look, share: shares[c] })).filter(({ look }) => look.is_seen && look.name.startsWith("f "));
  if (!shown.length) return null;
  shown.sort((a, b) => b.share - a.share);
  return el("div", {}, el("h3", {}, "Where classes differ"), el("ul", { class: "atlas-list atlas-pairs", "aria-label": "classes that differ" },
    ...shown.slice(0, PAIRS).map(({ look, share }) => el("li", {}, swatch(look.color), el("span", {}, look.name), el("span", { class: "atlas-soft atlas-end" }, percent(share)))),
    shown.length > PAIRS ? el("li", { class: "atlas-soft" }, `and ${shown.length - PAIRS} more pairs`) : null));
}
