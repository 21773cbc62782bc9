// How is something gone through in time? A button that plays, and a bar that is drawn along.

import { button, el } from "./dom";

const TICK_MS = 50;

export class Player {
  readonly root: HTMLElement;
  private readonly bar: HTMLInputElement;
  private readonly play: HTMLButtonElement;
  private timer = 0;
  private at = 0;

  /** From 0 to `end()`, by steps; `speed` of it a second; `moved` is told where it is, and whether it goes on. */
  constructor(
    label: string, private readonly end: () => number, private readonly step: number, private readonly speed: number,
    private readonly moved: (at: number, isMoving: boolean) => void,
  ) {
    this.bar = el("input", { type: "range", min: "0", step: `${step}`, value: "0", "aria-label": label });
    this.bar.addEventListener("input", () => {
      this.stop();
      this.at = Number(this.bar.value);
      this.moved(this.at, true);
    });
    this.play = button("▶", () => (this.timer ? this.stop(true) : this.start()), { class: "atlas-play", "aria-label": "play", title: "play" });
    this.root = el("div", { class: "atlas-row atlas-slide" }, this.play, this.bar);
    this.limits();
  }

  limits(): void {
    this.bar.max = `${Math.max(0, this.end())}`;
    this.play.disabled = this.bar.disabled = this.end() <= 0;
    this.bar.value = `${this.at}`;
  }

  set(at: number): void {
    this.at = at;
    this.bar.value = `${at}`;
  }

  words(text: string): void {
    this.bar.setAttribute("aria-valuetext", text);
  }

  private start(): void {
    if (this.at >= this.end() - this.step / 2) this.at = 0;
    const from = this.at, begin = performance.now();
    this.look(true);
    this.timer = window.setInterval(() => {
      const now = Math.min(this.end(), from + (this.speed * (performance.now() - begin)) / 1000);
      const at = Math.round(now / this.step) * this.step, isOver = now >= this.end();
      if (at === this.at && !isOver) return;
      this.set(at);
      if (isOver) this.stop();
      this.moved(at, !isOver);
    }, TICK_MS);
  }

  stop(tells = false): void {
    clearInterval(this.timer);
    this.timer = 0;
    this.look(false);
    if (tells) this.moved(this.at, false);
  }

  private look(plays: boolean): void {
    this.play.textContent = plays ? "❚❚" : "▶";
    this.play.setAttribute("aria-label", plays ? "stop" : "play");
  }
}
