// Where does the plane go? Through three inputs of the strip, each of which may walk toward others, and turned about one.

import type { Complex } from "./complex";
import { button, el, select } from "./dom";
import { inputAt } from "./maps";
import { drawInput, drawLevels } from "./pictures";
import { Player } from "./player";
import type { Plane, PlaneCamera } from "./plane";
import type { Grip } from "./view";

export type Anchor = [from: number, to: number, share: number];
export type Turn = [pivot: number, toward: number, angle: number];

const LEAST = -0.5, MOST = 1.5; // of the way that an anchor goes
const SNAP = 0.03, SHORT_PX = 40, FALLBACK_PX = 220;
const WALK_S = 4; // from one input of a path to the next

export class Steer {
  readonly root = el("section", { class: "atlas-card atlas-steer", "aria-label": "the plane" });
  readonly strip = el("section", { class: "atlas-strip", "aria-label": "inputs to choose from" });
  readonly anchors: [Anchor, Anchor, Anchor];
  isLed = false;
  told: (anchors: Anchor[]) => void = () => {}; // where the plane is led, once it is
  private pivot = 0;
  private toward: number;
  private angle = 0;
  private chosen = 0; // the anchor that a click on the strip places; 3: the path
  private path: number[];
  private walker = 2;
  private readonly player: Player;
  private readonly pictures = [0, 1, 2].map(() => el("canvas", { class: "atlas-thumb", "aria-hidden": "true" }));
  private readonly froms: HTMLSelectElement[] = [];
  private readonly tos: HTMLSelectElement[] = [];
  private readonly shares: HTMLInputElement[] = [];
  private readonly choosers: HTMLButtonElement[];
  private readonly items: HTMLButtonElement[];
  private readonly angleBar = el("input", { type: "range", min: "-180", max: "180", step: "1", value: "0", "aria-label": "by how many degrees the plane turns" });
  private readonly angleText = el("output", { class: "atlas-end" }, "0°");
  private readonly pathText = el("p", { class: "atlas-soft atlas-path" });

  /** `moved` is told whenever the plane moves, and whether the hand still does. */
  constructor(private readonly cx: Complex, private readonly labels: string[], plane: Plane, private readonly moved: (isMoving: boolean) => void) {
    this.anchors = cx.told.anchors!.map((anchor) => [...anchor]) as [Anchor, Anchor, Anchor];
    this.toward = this.anchors[0][1];
    this.path = [this.anchors[2][0], this.anchors[2][1]];
    const options = labels.map((label, i): [string, string] => [`${i}`, label]);
    const rows = this.anchors.map((anchor, k) => this.row(anchor, k, options));
    const pivot = select("the anchor that the plane turns about", [0, 1, 2].map((k) => [`${k}`, `anchor ${k + 1}`]), (value) => ((this.pivot = Number(value)), this.go(false)));
    const toward = select("the input that the plane turns toward", options, (value) => ((this.toward = Number(value)), this.go(false)));
    toward.value = `${this.toward}`;
    this.angleBar.addEventListener("input", () => {
      this.angle = Number(this.angleBar.value);
      this.go(true);
    });
    const walker = select("the anchor that walks", [0, 1, 2].map((k) => [`${k}`, `anchor ${k + 1}`]), (value) => {
      this.walker = Number(value);
      this.path = [this.anchors[this.walker][0], this.anchors[this.walker][1]];
      this.player.set(0);
      this.reflect();
    });
    walker.value = `${this.walker}`;
    this.player = new Player("how far along the path", () => this.path.length - 1, 0.01, 1 / WALK_S, (at, isMoving) => this.walk(at, isMoving));
    const clear = button("clear", () => {
      this.path = [this.anchors[this.walker][0]];
      this.choose(3);
    }, { class: "atlas-link", "aria-label": "begin another path" });
    this.root.append(
      el("h2", {}, "Plane through"), el("ul", { class: "atlas-anchors" }, ...rows),
      el("h3", {}, "Turn about"),
      el("div", { class: "atlas-pair" }, pivot, el("label", { class: "atlas-walk" }, el("span", { "aria-hidden": "true" }, "→"), toward)),
      el("div", { class: "atlas-row atlas-slide" }, this.angleBar, this.angleText),
      el("h3", {}, "Walk along a path"),
      el("div", { class: "atlas-pair" }, walker, el("span", { class: "atlas-row" }, clear, button("add…", () => this.choose(3), { class: "atlas-link", "aria-label": "add inputs to the path" }))),
      this.pathText, this.player.root,
      el("p", { class: "atlas-row" }, button("Back to the first plane", () => this.reset())),
    );
    this.choosers = ["anchor 1", "anchor 2", "anchor 3", "path"].map((name, k) => button(name, () => this.choose(k)));
    this.items = labels.map((label, i) => this.item(label, i));
    this.strip.append(
      el("div", { class: "atlas-row" }, el("span", { class: "atlas-soft" }, "A click places"), el("div", { class: "atlas-tabs", role: "group", "aria-label": "what a click on an input places" }, ...this.choosers)),
      el("div", { class: "atlas-inputs" }, ...this.items),
    );
    plane.take = (mark, camera) => this.grip(mark, camera);
    this.reflect();
    this.update();
  }

  get turn(): Turn | null {
    return this.angle ? [this.pivot, this.toward, (this.angle * Math.PI) / 180] : null;
  }

  private row(anchor: Anchor, k: number, options: [string, string][]): HTMLElement {
    const name = `anchor ${k + 1}`;
    const from = select(name, options, (value) => this.place(k, Number(value)));
    const to = select(`${name} walks toward`, options, (value) => {
      anchor[1] = Number(value);
      this.go(false);
    });
    const share = el("input", { type: "range", min: `${LEAST}`, max: `${MOST}`, step: "0.01", value: "0", "aria-label": `how far ${name} walks` });
    share.addEventListener("input", () => {
      anchor[2] = Number(share.value);
      this.go(true);
    });
    this.froms.push(from), this.tos.push(to), this.shares.push(share);
    return el("li", {}, this.pictures[k], el("div", {}, from, el("label", { class: "atlas-walk" }, el("span", { "aria-hidden": "true" }, "→"), to), share));
  }

  private item(label: string, i: number): HTMLButtonElement {
    const levels = this.cx.find("pictures"), { image } = this.cx.told, size = image ? image.channels * image.width * image.height : 0;
    const made = button("", () => this.pick(i), { class: "atlas-input", title: label });
    if (image && levels && (i + 1) * size <= levels.length) {
      const canvas = el("canvas", { class: "atlas-thumb", "aria-hidden": "true" });
      drawLevels(canvas, this.cx, levels.subarray(i * size, (i + 1) * size));
      made.append(canvas);
    }
    made.append(el("span", {}, label), el("i", {}));
    return made;
  }

  private choose(k: number): void {
    this.chosen = k;
    this.reflect();
  }

  private pick(i: number): void {
    if (this.chosen < 3) return this.place(this.chosen, i);
    if (this.path[this.path.length - 1] !== i) this.path.push(i);
    this.reflect();
  }

  private place(k: number, i: number): void {
    const anchor = this.anchors[k], other = this.anchors.findIndex((a, l) => l !== k && a[0] === i && a[2] === 0);
    if (other >= 0 && anchor[2] === 0) this.anchors[other][0] = anchor[0]; // they change places, so that the plane stays one
    anchor[0] = i, anchor[2] = 0;
    if (k === this.walker) this.path = [i, ...this.path.slice(1).filter((p, at) => at > 0 || p !== i)], this.player.set(0);
    this.go(false);
  }

  private walk(at: number, isMoving: boolean): void {
    const last = this.path.length - 1;
    if (last < 1) return;
    const k = Math.min(last - 1, Math.floor(at)), anchor = this.anchors[this.walker];
    anchor[0] = this.path[k], anchor[1] = this.path[k + 1], anchor[2] = at - k;
    this.go(isMoving);
  }

  private reset(): void {
    this.player.stop();
    this.player.set(0);
    this.angle = 0;
    this.cx.told.anchors!.forEach((first, k) => this.anchors[k].splice(0, 3, ...first));
    this.go(false);
    this.isLed = false;
  }

  /** What a drag of a marker does: the anchor goes along its way, as that is seen in the plane. */
  private grip(k: number, camera: PlaneCamera): Grip | null {
    const anchor = this.anchors[k];
    if (!anchor) return null;
    const [u, v] = this.cx.told.ways?.[k] ?? [0, 0], x = u * camera.sx, y = -v * camera.sy, far = Math.hypot(x, y);
    const before = anchor[2];
    return {
      move: (dx, dy) => {
        const by = far >= SHORT_PX ? (dx * x + dy * y) / far ** 2 : dx / FALLBACK_PX;
        anchor[2] = Math.min(MOST, Math.max(LEAST, before + by));
        this.go(true);
      },
      end: () => {
        if (anchor[2] === before) return;
        for (const stop of [0, 1]) if (Math.abs(anchor[2] - stop) < SNAP) anchor[2] = stop;
        this.go(false);
      },
    };
  }

  private go(isMoving: boolean): void {
    this.isLed = true;
    this.reflect();
    this.moved(isMoving);
    this.told(this.anchors);
  }

  private reflect(): void {
    this.anchors.forEach(([from, to, share], k) => {
      this.froms[k].value = `${from}`, this.tos[k].value = `${to}`, this.shares[k].value = `${share}`;
      this.shares[k].setAttribute("aria-valuetext", `${Math.round(100 * share)} % of the way from ${this.labels[from]} to ${this.labels[to]}`);
    });
    this.angleBar.value = `${this.angle}`;
    this.angleText.textContent = `${this.angle}°`.replace("-", "−");
    this.choosers.forEach((made, k) => made.setAttribute("aria-pressed", `${k === this.chosen}`));
    this.items.forEach((made, i) => {
      const here = this.anchors.flatMap(([from], k) => (from === i ? [`${k + 1}`] : []));
      made.lastElementChild!.textContent = here.join(" ");
      made.classList.toggle("atlas-on", here.length > 0);
      made.setAttribute("aria-label", `${this.labels[i]}${here.length ? `, anchor ${here.join(" and ")}` : ""}`);
    });
    const names = this.path.map((i) => this.labels[i]);
    this.pathText.textContent = names.length > 1 ? names.join(" → ") : `${names[0]} → click inputs of the strip`;
    this.player.limits();
  }

  /** Lead the plane through other anchors; what makes no sense is left as it is. */
  lead(anchors: unknown): void {
    const n = this.labels.length, isPlace = (i: unknown) => Number.isInteger(i) && (i as number) >= 0 && (i as number) < n;
    if (!Array.isArray(anchors) || anchors.length !== 3 || JSON.stringify(anchors) === JSON.stringify(this.anchors)) return;
    if (!anchors.every((a) => Array.isArray(a) && a.length === 3 && isPlace(a[0]) && isPlace(a[1]) && Number.isFinite(a[2]) && Math.abs(a[2]) <= 4)) return;
    anchors.forEach((a: Anchor, k) => this.anchors[k].splice(0, 3, ...a));
    this.path = [this.anchors[this.walker][0], this.anchors[this.walker][1]];
    this.player.set(0);
    this.go(false);
  }

  /** Draw the anchors as they are now. */
  update(): void {
    const { marks, image } = this.cx.told;
    this.pictures.forEach((canvas, k) => {
      canvas.hidden = !image;
      const x = image && marks[k] ? inputAt(this.cx, ...marks[k].u) : null;
      if (x) drawInput(canvas, this.cx, x);
    });
  }
}
