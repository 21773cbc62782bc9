// What does the atlas look like as a whole? A map, a second view beside it, a key, and what is said of a cell.

import { Beside } from "./beside";
import { Complex, Told } from "./complex";
import { button, check, el, select } from "./dom";
import { Dual } from "./dual";
import { Info } from "./info";
import { Key } from "./key";
import { Paint } from "./paint";
import { Panel } from "./panel";
import { Plane } from "./plane";
import { COLORS, ColorBy, State, VIEWS, ViewName } from "./state";
import { Box, FIRST, Request } from "./live";
import { Player } from "./player";
import { Steer } from "./steer";
import { Surface } from "./surface";
import { niceStep, short } from "./ticks";
import type { View } from "./view";
import { subtitle, summary } from "./words";

const KEYS: [string, string][] = [
  ["drag, arrows", "move; turn the surface (with Shift: move it, or finer steps)"], ["wheel, two fingers, + −", "zoom"],
  ["0", "the whole again"], ["click, Enter", "choose the cell under the pointer, or in the middle"], ["Escape", "let go of it"],
  ["v", "the next view"], ["c", "the next coloring"], ["1 to 9", "edges of a layer"], ["e b g", "all edges; the boundary; the graph"],
  ["/", "search a place or a cell"], ["?", "these keys"],
];

/** Where other cells come from, when the view is moved; pages have all of theirs. */
export interface Source {
  ask(request: Request): void;
}

/** Where it lives: a page has an address and its keys; in a notebook these are others'. */
export type Home = "page" | "notebook";

const BEYOND = 0.15, ASK_MS = 40; // of the window, on each side; without a move before other cells are asked for
const REST_MS = 180; // without a move of the plane before all of its cells are asked for
const STEP_S = 8; // a training is gone through in

export interface Atlas {
  status(text: string): void;
  state: State;
  complex: Complex;
  main: Panel;
  info: Info;
  plane: Plane;
  steer: Steer | null;
  beside: Beside | null;
  load(told: Told, data: ArrayBuffer, at: number): void;
}

export function mount(root: HTMLElement, cx: Complex, { source = null, home = "page" }: { source?: Source | null; home?: Home } = {}): Atlas {
  const isPage = home === "page";
  const state = new State(cx, isPage), paint = new Paint(cx), { told } = cx, s = state.shown;
  const plane = new Plane(cx, paint, state);
  const views: Record<ViewName, View> = { plane, dual: new Dual(cx, paint, state), surface: new Surface(cx, paint, state) };
  const hand = {
    hover: (cell: number, at: [number, number] | null) => state.set({ hovered: cell, at }),
    click: (cell: number, at: [number, number] | null) => {
      state.set({ selected: cell === state.shown.selected ? -1 : cell });
      void at;
    },
  };
  const alt = root.dataset.alt ?? "";
  const main = new Panel(views[s.view], state, hand, `${VIEWS[s.view]}. ${alt}`, null);
  const second = new Panel(views[s.beside], state, hand, VIEWS[s.beside], main);
  const live = el("p", { class: "atlas-hidden", "aria-live": "polite" });
  const info = new Info(cx, state, paint, {
    select: (cell) => state.set({ selected: cell, hovered: -1 }),
    show: (cell) => {
      state.set({ view: "plane" });
      plane.show(cell, main.sizeNow());
    },
  });
  const key = new Key(cx, state, paint);

  // the bar above
  const tabs = (Object.keys(VIEWS) as ViewName[]).map((name) => button(VIEWS[name], () => state.set({ view: name }), { "data-view": name }));
  const colorings = (Object.keys(COLORS) as ColorBy[]).filter((by) => (by !== "class" || cx.classes) && (by !== "map" || source || cx.find("color")));
  const by = select("color the cells by", colorings.map((c) => [c, COLORS[c]]), (value) => state.set({ by: value as ColorBy }));
  const decided = paint.quantity(-1).name;
  const outputs: [string, string][] = [["-1", decided]];
  if (told.n_outputs > 1) told.output_names.forEach((name, c) => outputs.push([`${c}`, /^output/.test(name) ? name : `output ${name}`]));
  const output = select("values of", outputs, (value) => state.set({ output: Number(value) }));
  const [edges, edgesBox] = check(["edges"], s.edges, (on) => state.set({ edges: on }));
  const [bound, boundBox] = check(["boundary"], s.boundary, (on) => state.set({ boundary: on }));
  const [graph, graphBox] = check(["dual graph"], s.graph, (on) => state.set({ graph: on }));
  const search = el("input", { type: "search", class: "atlas-search", placeholder: "0.5, −0.2 or cell 12", "aria-label": "search a place or a cell", enterkeyhint: "go" });
  const said = el("span", { class: "atlas-said", role: "status" });
  const find = el("form", { role: "search", class: "atlas-find" }, search, el("button", {}, "Go"), said);
  find.addEventListener("submit", (e) => {
    e.preventDefault();
    said.textContent = goTo(search.value);
  });

  function goTo(text: string): string {
    const plain = text.replaceAll("−", "-").trim();
    const numbers = (plain.match(/[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/gi) ?? []).map(Number);
    if (/^(cell\s*|#)\d+$/i.test(plain)) {
      const cell = cx.cellOf(numbers[0]);
      if (cell < 0) return `There is no cell ${numbers[0]} here.`;
      state.set({ view: "plane", selected: cell });
      plane.show(cell, main.sizeNow());
      return "";
    }
    if (numbers.length !== 2 || numbers.some((n) => !Number.isFinite(n))) return "Expected two numbers, or a cell such as “cell 12”.";
    const cell = cx.cellAt(numbers[0], numbers[1]);
    if (cell < 0) return "No cell is there: the place is outside.";
    state.set({ view: "plane", selected: cell, x: numbers[0], y: numbers[1] });
    return "";
  }

  // what lies on the map
  const readout = el("div", { class: "atlas-readout" });
  const status = el("div", { class: "atlas-status", role: "status" }); // over the map: what it says moves nothing
  const scaleBar = el("div", { class: "atlas-scale", "aria-hidden": "true" }, el("span", {}), el("i", {}));
  const corner = el("div", { class: "atlas-corner" },
    button("+", () => main.zoomBy(2), { "aria-label": "zoom in", title: "zoom in (+)" }),
    button("−", () => main.zoomBy(0.5), { "aria-label": "zoom out", title: "zoom out (−)" }),
    button("⌂", () => main.reset(), { "aria-label": "the whole again", title: "the whole again (0)" }));
  const stage = el("div", { class: "atlas-stage" }, main.root, corner, scaleBar, readout, status);
  const maps = el("div", { class: "atlas-maps" }, stage);
  const beside = told.names && told.names.length > 1 ? new Beside(maps, cx, state, main, stage) : null;
  if (beside) {
    stage.append(el("div", { class: "atlas-name" }, beside.names[0]));
    maps.append(beside.here);
    maps.dataset.shown = "3";
    root.classList.add("atlas-two");
  }
  const left = el("div", { class: "atlas-left" }, maps);
  const besideName = select("the second view", (Object.keys(VIEWS) as ViewName[]).map((v) => [v, VIEWS[v]]), (value) => state.set({ beside: value as ViewName }));
  const swap = button("⇄", () => state.set({ view: state.shown.beside }), { "aria-label": "make it the large view", title: "make it the large view" });
  const secondCard = el("section", { class: "atlas-card atlas-second", "aria-label": "the second view" },
    el("div", { class: "atlas-row" }, besideName, swap), el("div", { class: "atlas-small" }, second.root));

  const help = el("dialog", { class: "atlas-help", "aria-label": "keys" }, el("h2", {}, "Keys and hands"),
    el("dl", {}, ...KEYS.flatMap(([k, what]) => [el("dt", {}, k), el("dd", {}, what)])),
    el("form", { method: "dialog" }, el("button", {}, "Close")));
  const link = button("Copy link", () => void copyLink(), { title: "a link to what is seen now" });
  async function copyLink(): Promise<void> {
    const address = location.href.split("#")[0] + state.hash();
    try {
      await navigator.clipboard.writeText(address);
      said.textContent = "The link is copied.";
    } catch {
      location.hash = state.hash();
      said.textContent = "The link is in the address bar.";
    }
  }
  const warnings = [
    told.is_complete || source ? "" : "Incomplete: the search was stopped before all cells were found. What is white was not reached.",
    told.left_out,
  ].filter(Boolean).map((text) => el("p", { class: "atlas-warning", role: "alert" }, text));
  const sub = el("p", { class: "atlas-soft" }, subtitle(cx));
  root.replaceChildren(
    el("header", { class: "atlas-head" },
      el("div", {}, el("h1", {}, told.title), sub),
      el("nav", { class: "atlas-row", "aria-label": "page" },
        told.report ? el("a", { href: told.report }, "Report") : null, isPage ? link : null, button("Keys ?", () => help.showModal(), { "aria-label": "keys" }))),
    ...warnings,
    el("div", { class: "atlas-tools", role: "toolbar", "aria-label": "what is shown" },
      el("div", { class: "atlas-tabs", role: "group", "aria-label": "view" }, ...tabs),
      el("label", { class: "atlas-field" }, el("span", {}, "colors"), by), el("label", { class: "atlas-field" }, el("span", {}, "values"), output),
      el("div", { class: "atlas-row" }, edges, told.has_classes ? bound : null, graph), beside?.toggles ?? null, find),
    el("div", { class: "atlas-body" }, left, el("aside", { class: "atlas-side" }, info.pointed, info.chosen, key.root, secondCard)),
    live, help,
  );

  function reflect(): void {
    const now = state.shown;
    for (const tab of tabs) tab.setAttribute("aria-pressed", `${tab.dataset.view === now.view}`);
    by.value = now.by, output.value = `${now.output}`;
    edgesBox.checked = now.edges, boundBox.checked = now.boundary, graphBox.checked = now.graph;
    besideName.value = now.beside;
    for (const option of besideName.options) option.disabled = option.value === now.view;
    output.closest("label")!.hidden = now.by !== "value" && now.view === "plane" && now.beside === "plane";
    root.dataset.view = now.view;
  }

  function measure(): void {
    const now = state.shown, size = main.sizeNow(), [u, v] = told.coordinates;
    const isPlane = now.view === "plane";
    scaleBar.hidden = !isPlane;
    if (isPlane) {
      const { sx } = plane.camera(size), step = niceStep(120 / sx, 1) / (niceStep(120 / sx, 1) * sx > 150 ? 2 : 1);
      scaleBar.firstElementChild!.textContent = short(step, 3);
      (scaleBar.lastElementChild as HTMLElement).style.width = `${Math.min(200, step * sx)}px`;
    }
    const digits = Math.min(17, 4 + Math.max(0, Math.ceil(now.zoom * 0.302)));
    const parts: string[] = [];
    if (now.at) parts.push(`${u} ${short(now.at[0], digits)}, ${v} ${short(now.at[1], digits)}`);
    if (isPlane) parts.push(`× ${now.zoom < 10 ? +(2 ** now.zoom).toPrecision(3) : `2^${+now.zoom.toFixed(1)}`}`);
    if (isPlane && now.zoom >= plane.deepest(size) - 1e-9) parts.push("the end of float64: deeper, coordinates are too coarse");
    readout.textContent = parts.join("   ");
  }

  let waiting = 0;
  state.listen((changed) => {
    if ("view" in changed || "beside" in changed) {
      main.show(views[state.shown.view]);
      second.show(views[state.shown.beside]);
      main.label(`${VIEWS[state.shown.view]}. ${alt}`), second.label(VIEWS[state.shown.beside]);
    }
    if ("selected" in changed) info.choose();
    if ("hidden" in changed || "by" in changed || "output" in changed) key.update();
    if ("hovered" in changed || "at" in changed || "selected" in changed || "output" in changed) {
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(() => info.update());
    }
    if ("selected" in changed || ("hovered" in changed && main.byKeys)) {
      const cell = "selected" in changed ? state.shown.selected : state.shown.hovered;
      live.textContent = cell < 0 ? "" : summary(cx, cell, cx.classAt(cell, cx.centers[2 * cell], cx.centers[2 * cell + 1]));
    }
    reflect();
    measure();
  });
  new ResizeObserver(measure).observe(stage);
  window.addEventListener("hashchange", () => state.read());
  (isPage ? document : root).addEventListener("keydown", (event) => {
    const e = event as KeyboardEvent;
    const target = e.target as HTMLElement;
    if (e.ctrlKey || e.metaKey || e.altKey || help.open || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && target.getAttribute("type") !== "checkbox") return;
    const now = state.shown, next = <T,>(list: T[], one: T) => list[(list.indexOf(one) + 1) % list.length];
    const acts: Record<string, () => void> = {
      v: () => state.set({ view: next(Object.keys(VIEWS) as ViewName[], now.view) }),
      c: () => state.set({ by: next(colorings, now.by) }),
      e: () => state.set({ edges: !now.edges }), b: () => state.set({ boundary: !now.boundary }), g: () => state.set({ graph: !now.graph }),
      "/": () => search.focus(), "?": () => help.showModal(), Escape: () => state.set({ selected: -1 }),
    };
    const layer = Number(e.key) - 1;
    if (acts[e.key]) acts[e.key]();
    else if (layer >= 0 && layer < told.layers.length) key.toggle(layer);
    else return;
    e.preventDefault();
  });
  const steer = source && told.strip ? new Steer(cx, told.strip, plane, (isMoving) => moved(isMoving)) : null;
  const steps = source ? told.steps ?? null : null;
  let step = 0;
  const stepText = el("output", { class: "atlas-end" }), stepWords = () => `step ${steps![step].toLocaleString("en-US")}`;
  const training = steps
    ? new Player("the step of the training", () => steps.length - 1, 1, Math.max(1, (steps.length - 1) / STEP_S), (at, isMoving) => {
        step = at;
        stepText.textContent = stepWords();
        training!.words(stepWords());
        moved(isMoving);
      })
    : null;
  if (steer) {
    key.root.after(steer.root);
    left.append(steer.strip);
  }
  if (training) {
    stepText.textContent = stepWords();
    left.append(el("section", { class: "atlas-training", "aria-label": "the training" }, training.root, stepText));
  }

  let asked = 0, resting = 0, last = JSON.stringify(FIRST);
  function ask(moving = false): void {
    const size = main.sizeNow(), c = plane.camera(size), { low, high } = cx.told;
    if (!source || size.width <= 1) return;
    const w = (0.5 + BEYOND) * (size.width / c.sx), h = (0.5 + BEYOND) * (size.height / c.sy);
    const box: Box = [Math.max(low[0], c.x - w), Math.max(low[1], c.y - h), Math.min(high[0], c.x + w), Math.min(high[1], c.y + h)];
    const isWhole = state.shown.zoom <= 0;
    if (!(isWhole || (box[0] < box[2] && box[1] < box[3]))) return;
    const request: Request = {
      window: isWhole ? null : box, plane: steer?.isLed ? steer.anchors : null, turn: steer?.isLed ? steer.turn : null, step,
      maps: state.shown.by === "map", moving,
    };
    const text = JSON.stringify(request);
    if (text === last) return;
    last = text;
    if (!moving) status.textContent = "computing";
    source.ask(request);
  }
  function soon(): void {
    clearTimeout(asked);
    asked = window.setTimeout(() => ask(), ASK_MS);
  }
  /** The plane moves: what is found in a moment, again and again, and all of it when it rests. */
  function moved(isMoving: boolean): void {
    clearTimeout(resting);
    if (isMoving) ask(true);
    resting = window.setTimeout(() => ask(), isMoving ? REST_MS : 0);
  }
  let place: [number, number] | null = null;
  if (source) {
    state.listen((changed) => {
      if ("x" in changed || "y" in changed || "zoom" in changed) soon();
      if ("by" in changed) ask();
      if ("selected" in changed) place = state.shown.selected < 0 ? null : [cx.centers[2 * state.shown.selected], cx.centers[2 * state.shown.selected + 1]];
    });
    new ResizeObserver(soon).observe(stage);
    if (state.shown.by === "map") queueMicrotask(() => ask());
  }
  /** Say whether what is there is all. */
  function tell(): void {
    if (!source) return;
    const { is_last, is_complete, window, step: at } = cx.told;
    status.textContent = is_last ? (is_complete ? "" : `more than ${cx.n.toLocaleString("en-US")} cells: zoom in to see all`) : "computing";
    root.dataset.window = `${window}`, root.dataset.last = `${is_last}`, root.dataset.step = `${at ?? 0}`;
  }
  tell();
  function load(news: Told, data: ArrayBuffer, at: number): void {
    if (news.which) {
      root.dataset[`last${news.which}`] = `${news.is_last}`;
      return void beside?.load(news, data, at);
    }
    const kept = place;
    if (news.preview) {
      cx.move(news, data, at);
      state.set({ hovered: -1, selected: -1 });
      place = kept;
      beside?.moved(news);
    } else cx.load(news, data, at);
    const { low, high } = cx.told;
    steer?.update();
    if (state.shown.zoom <= 0) state.set({ x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2 });
    const pointed = state.shown.at;
    if (!news.preview) state.set({ hovered: pointed ? cx.cellAt(...pointed) : -1, selected: kept ? cx.cellAt(...kept) : -1 });
    place = kept;
    if (news.preview) {
      status.textContent = "sampled while the plane moves: its cells come when it rests";
      root.dataset.last = "false";
      return main.renew();
    }
    info.choose(), info.update();
    key.update();
    sub.textContent = subtitle(cx);
    tell();
    main.renew(), second.renew();
  }
  reflect();
  measure();
  return { state, complex: cx, main, info, plane, steer, beside, load, status: (text) => (status.textContent = text) };
}
