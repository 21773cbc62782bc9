// Where does the plane go? Through three inputs of the strip, each of which may walk toward another one.

import type { Complex } from "./complex";
import { el, select } from "./dom";
import { inputAt } from "./maps";
import { drawInput } from "./pictures";

export type Anchor = [from: number, to: number, share: number];

const STEPS = 100;

export class Steer {
  readonly root = el("section", { class: "atlas-card atlas-steer", "aria-label": "the plane" });
  readonly anchors: [Anchor, Anchor, Anchor] = [[0, 0, 0], [1, 1, 0], [2, 2, 0]];
  private readonly pictures = [0, 1, 2].map(() => el("canvas", { class: "atlas-thumb", role: "img" }));

  constructor(private readonly cx: Complex, labels: string[], private readonly moved: () => void) {
    const options = labels.map((label, i): [string, string] => [`${i}`, label]);
    const rows = this.anchors.map((anchor, k) => {
      const name = `anchor ${k + 1}`;
      const from = select(`${name}`, options, (value) => {
        anchor[0] = Number(value);
        this.moved();
      });
      const to = select(`${name} walks toward`, options, (value) => {
        anchor[1] = Number(value);
        this.moved();
      });
      from.value = `${anchor[0]}`;
      anchor[1] = (k + 1) % labels.length === anchor[0] ? (k + 2) % labels.length : Math.min(labels.length - 1, 3);
      to.value = `${anchor[1]}`;
      const share = el("input", { type: "range", min: "0", max: `${STEPS}`, value: "0", "aria-label": `how far ${name} walks` });
      share.addEventListener("input", () => {
        anchor[2] = Number(share.value) / STEPS;
        this.moved();
      });
      return el("li", {}, this.pictures[k], el("div", {}, from, el("label", { class: "atlas-walk" }, el("span", {}, "toward"), to), share));
    });
    this.root.append(el("h2", {}, "Plane through"), el("ul", { class: "atlas-anchors" }, ...rows));
    this.update();
  }

  update(): void {
    const { marks, image } = this.cx.told;
    this.pictures.forEach((canvas, k) => {
      canvas.hidden = !image;
      const x = image && marks[k] ? inputAt(this.cx, ...marks[k].u) : null;
      if (!x) return;
      drawInput(canvas, this.cx, x);
      canvas.setAttribute("aria-label", `the input at anchor ${k + 1}: ${marks[k].label}`);
    });
  }
}
