// What is an atlas in a notebook? The same one in an output, whose choices are traits that Python reads and sets.

import { Atlas, mount } from "./app";
import { Complex, Told } from "./complex";
import { el } from "./dom";
import { Line } from "./live";
import { COLORS, ColorBy, Shown, VIEWS, ViewName } from "./state";

interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown): void;
  on(name: string, listener: (...parts: never[]) => void): void;
  off(name: string, listener: (...parts: never[]) => void): void;
}

interface Seen {
  name?: ViewName;
  by?: ColorBy;
  x?: number;
  y?: number;
  zoom?: number;
}

const TELL_MS = 120;

function render({ model, el: home }: { model: Model; el: HTMLElement }): () => void {
  const root = el("div", { class: "atlas atlas-widget", "data-lm-suppress-shortcuts": "true" }); // keys are the atlas' own
  const fit = () => (root.style.height = `${model.get("height")}px`);
  const scheme = () => {
    const isLight = document.body.dataset.jpThemeLight;
    if (isLight !== undefined) root.dataset.scheme = isLight === "false" ? "dark" : "light";
  };
  home.classList.add("atlas-home");
  home.append(root);
  fit(), scheme();
  const themes = new MutationObserver(scheme);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  model.on("change:height", fit);
  const ends: (() => void)[] = [() => themes.disconnect(), () => model.off("change:height", fit)];
  const ready = (atlas: Atlas) => {
    Object.assign(root, { reluatlas: atlas }); // for those who look with their own tools
    ends.push(bind(model, atlas));
  };
  if (model.get("is_live")) {
    const line = new Line(root, (text) => model.send({ text }), ready, "notebook");
    const take = (content: { text?: string; closed?: string }, buffers: DataView[]) => {
      if (content.closed) return line.say(`${content.closed}.`);
      const data = buffers?.[0];
      line.take(data ? (data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer) : content.text!);
    };
    model.on("msg:custom", take as never);
    ends.push(() => model.off("msg:custom", take as never));
    model.send({ kind: "begin" });
    line.begin();
  } else {
    const all = model.get("contents") as DataView, data = all.buffer.slice(all.byteOffset, all.byteOffset + all.byteLength) as ArrayBuffer;
    const length = new DataView(data).getUint32(0, true);
    const told = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length))) as Told;
    ready(mount(root, new Complex(told, data, 4 + length), { home: "notebook" }));
  }
  return () => ends.forEach((end) => end());
}

/** Let traits follow what is seen, and lead it. */
function bind(model: Model, { state, complex, steer }: Atlas): () => void {
  let waiting = 0;
  const tell = () => {
    const { view: name, by, x, y, zoom, selected } = state.shown;
    model.set("selected", selected < 0 ? -1 : complex.numberOf(selected));
    model.set("view", { name, by, x, y, zoom });
    if (steer?.isLed) model.set("anchors", steer.anchors.map((anchor) => [...anchor]));
    model.save_changes();
  };
  const soon = () => {
    clearTimeout(waiting);
    waiting = window.setTimeout(tell, TELL_MS);
  };
  state.listen((changed) => {
    if (Object.keys(changed).some((key) => key !== "hovered" && key !== "at")) soon();
  });
  if (steer) steer.told = soon;
  const select = () => state.set({ selected: complex.cellOf(model.get("selected") as number) });
  const look = () => {
    const seen = (model.get("view") ?? {}) as Seen, news: Partial<Shown> = {};
    if (seen.name && Object.hasOwn(VIEWS, seen.name)) news.view = seen.name;
    if (seen.by && Object.hasOwn(COLORS, seen.by) && (seen.by !== "class" || complex.classes)) news.by = seen.by;
    for (const key of ["x", "y", "zoom"] as const) if (Number.isFinite(seen[key])) news[key] = seen[key];
    if (news.zoom !== undefined) news.zoom = Math.min(60, Math.max(-1, news.zoom));
    state.set(news);
  };
  const lead = () => steer?.lead(model.get("anchors"));
  if (Object.keys((model.get("view") ?? {}) as Seen).length) look();
  if ((model.get("selected") as number) >= 0) select();
  if ((model.get("anchors") as unknown[]).length) lead();
  model.on("change:selected", select), model.on("change:view", look), model.on("change:anchors", lead);
  tell();
  return () => {
    clearTimeout(waiting);
    model.off("change:selected", select), model.off("change:view", look), model.off("change:anchors", lead);
  };
}

export default { render };
