// How does a view follow the hand? The last sharp picture moves along at once; a new one is drawn when there is time.

import { el } from "./dom";
import { NOBODY, Raster } from "./raster";
import type { State } from "./state";
import type { Grip, Size, View } from "./view";

const REST_MS = 40; // without a move before a picture is drawn that takes long
const QUICK_MS = 24; // what takes no longer is drawn while the hand moves
const CLICK_PX = 5;
const COARSE = 3; // pixels on a side of one, while a surface turns

export interface Told {
  hover(cell: number, at: [number, number] | null): void;
  click(cell: number, at: [number, number] | null): void;
}

export class Panel {
  readonly root: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly times = { sharp: 0, frames: 0 };
  private readonly picture = document.createElement("canvas"); // the last sharp one
  private raster: Raster | null = null;
  private next: Raster | null = null;
  private drawn: unknown = null;
  private job: Generator<void> | null = null;
  private jobCamera: unknown = null;
  private jobBegan = 0;
  private lastMove = -1e9;
  private isStale = true;
  private isAsked = false;
  private isCoarse = false;
  private readonly pointers = new Map<number, [number, number]>();
  private moved = 0;
  private pinch = 0;
  private grip: Grip | null = null;
  private held: [number, number] = [0, 0]; // where it was taken
  private size: Size = { width: 1, height: 1, ratio: 1 };
  view: View;

  constructor(view: View, state: State, private readonly told: Told, label: string, private readonly before: Panel | null) {
    this.view = view;
    this.canvas = el("canvas", { class: "atlas-canvas", tabindex: "0", role: "application", "aria-roledescription": "map", "aria-label": label });
    this.root = el("div", { class: "atlas-panel" }, this.canvas);
    new ResizeObserver(() => this.resize()).observe(this.root);
    state.listen((changed) => {
      if (this.view.isStale(changed)) {
        if (!("x" in changed || "zoom" in changed || "azimuth" in changed || "elevation" in changed)) this.drawn = this.drawn && null;
        this.touch();
      }
      this.ask();
    });
    this.listen();
  }

  /** Other cells are there: draw them, and move along what is seen until then. */
  renew(): void {
    this.ids = false;
    this.touch();
    this.lastMove = -1e9;
  }

  show(view: View): void {
    this.view = view;
    this.drawn = null;
    this.touch();
  }

  /** Whether what is seen is sharp. */
  get isSharp(): boolean {
    return !this.isStale && !this.job && !this.isCoarse;
  }

  sizeNow(): Size {
    return this.size;
  }

  label(text: string): void {
    this.canvas.setAttribute("aria-label", text);
  }

  private touch(): void {
    this.isStale = true;
    this.job = null;
    this.lastMove = performance.now();
    this.ask();
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.root, ratio = Math.min(2, window.devicePixelRatio || 1);
    if (!width || !height || (width === this.size.width && height === this.size.height && ratio === this.size.ratio)) return;
    this.size = { width, height, ratio };
    this.canvas.width = Math.round(width * ratio), this.canvas.height = Math.round(height * ratio);
    this.drawn = null;
    this.raster = this.next = null;
    this.lastMove = -1e9;
    this.isStale = true;
    this.job = null;
    this.ask();
  }

  ask(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => {
      this.isAsked = false;
      this.frame();
    });
  }

  private frame(): void {
    if (this.size.width <= 1) return;
    const now = performance.now();
    this.times.frames++;
    if (this.before && !this.before.isSharp) return void setTimeout(() => this.ask(), 40); // the large one comes first
    if (this.isStale && !this.job) {
      const mayDraw = this.times.sharp < QUICK_MS || now - this.lastMove > REST_MS || this.drawn === null;
      if (mayDraw) this.begin(false);
      else if (this.view.follow(this.drawn, this.view.camera(this.size), this.size) === null) this.coarse();
    }
    if (this.job) this.advance();
    this.paint();
    if (this.job || this.isStale) this.ask();
  }

  private begin(isCoarse: boolean): void {
    const ratio = isCoarse ? this.size.ratio / COARSE : this.size.ratio;
    const width = Math.max(1, Math.round(this.size.width * ratio)), height = Math.max(1, Math.round(this.size.height * ratio));
    if (!this.next || this.next.width !== width || this.next.height !== height) this.next = new Raster(width, height);
    this.jobCamera = this.view.camera(this.size);
    this.job = this.view.draw(this.next, this.jobCamera, { ...this.size, ratio });
    this.jobBegan = performance.now();
    this.isStale = false;
  }

  /** Draw at once in few pixels: what turns cannot be moved. */
  private coarse(): void {
    this.begin(true);
    while (!this.job!.next().done);
    this.finish(true);
    this.isStale = true;
  }

  private advance(): void {
    const now = performance.now(), end = now + (now - this.lastMove > 2 * REST_MS ? 40 : 12);
    do {
      if (this.job!.next().done) {
        this.times.sharp = performance.now() - this.jobBegan;
        this.finish(false);
        return;
      }
    } while (performance.now() < end);
  }

  private finish(isCoarse: boolean): void {
    const done = this.next!;
    this.next = this.raster;
    this.raster = done;
    this.drawn = this.jobCamera;
    this.job = null;
    this.ids = true;
    this.isCoarse = isCoarse;
    if (this.picture.width !== done.width || this.picture.height !== done.height) {
      this.picture.width = done.width, this.picture.height = done.height;
    }
    this.picture.getContext("2d")!.putImageData(done.image, 0, 0);
    this.canvas.dataset.sharp = `${Number(this.canvas.dataset.sharp ?? 0) + (isCoarse ? 0 : 1)}`;
  }

  private paint(): void {
    const c = this.canvas.getContext("2d")!, { width, height, ratio } = this.size;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const camera = this.view.camera(this.size);
    const move = this.raster && this.drawn ? this.view.follow(this.drawn, camera, this.size) : null;
    if (move || this.raster) {
      const { scale, shift } = move ?? { scale: [1, 1], shift: [0, 0] };
      c.imageSmoothingEnabled = !(scale[0] === 1 && scale[1] === 1) || this.isCoarse;
      c.drawImage(this.picture, shift[0] * ratio, shift[1] * ratio, this.canvas.width * scale[0], this.canvas.height * scale[1]);
    }
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.view.overlay(c, this.size);
    if (!this.before && this.byKeys && document.activeElement === this.canvas) {
      const x = width / 2, y = height / 2;
      for (const [color, thick] of [["#ffffff", 4], ["#111111", 1.6]] as const) {
        c.beginPath();
        c.moveTo(x - 12, y), c.lineTo(x - 4, y), c.moveTo(x + 4, y), c.lineTo(x + 12, y);
        c.moveTo(x, y - 12), c.lineTo(x, y - 4), c.moveTo(x, y + 4), c.lineTo(x, y + 12);
        c.strokeStyle = color, c.lineWidth = thick, c.stroke();
      }
    }
  }

  private ids = true; // whether the picture's cells are those that are there now
  byKeys = false; // whether the middle is what is pointed at
  private isPressed = false;

  private setByKeys(isOn: boolean): void {
    this.byKeys = isOn;
    this.canvas.classList.toggle("atlas-keys", isOn);
  }

  /** The cell at a pixel of the page within the canvas. */
  at(x: number, y: number): number {
    const { raster, size } = this;
    if (!raster || !this.drawn || !this.ids) return NOBODY;
    const move = this.view.follow(this.drawn, this.view.camera(size), size) ?? { scale: [1, 1], shift: [0, 0] };
    const px = Math.floor((((x - move.shift[0]) / move.scale[0]) * raster.width) / size.width);
    const py = Math.floor((((y - move.shift[1]) / move.scale[1]) * raster.height) / size.height);
    if (px < 0 || py < 0 || px >= raster.width || py >= raster.height) return NOBODY;
    return raster.ids[py * raster.width + px];
  }

  point(x: number, y: number): void {
    const cell = this.at(x, y);
    this.told.hover(cell, this.view.place(x, y, cell, this.size));
  }

  private listen(): void {
    const { canvas } = this;
    const where = (e: MouseEvent): [number, number] => {
      const box = canvas.getBoundingClientRect();
      return [e.clientX - box.left, e.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (e) => {
      if (e.button > 2) return;
      this.isPressed = true;
      canvas.focus({ preventScroll: true });
      this.setByKeys(this.isPressed = false);
      canvas.setPointerCapture(e.pointerId);
      this.pointers.set(e.pointerId, where(e));
      this.moved = 0;
      this.pinch = 0;
      this.held = where(e);
      this.grip = this.pointers.size === 1 && e.button === 0 ? this.view.grab?.(...this.held, this.size, e.pointerType === "touch") ?? null : null;
    });
    canvas.addEventListener("pointermove", (e) => {
      const at = where(e), before = this.pointers.get(e.pointerId);
      if (!before) {
        canvas.classList.toggle("atlas-grip", !!this.view.grab?.(...at, this.size, false));
        return this.point(...at);
      }
      this.pointers.set(e.pointerId, at);
      this.moved += Math.hypot(at[0] - before[0], at[1] - before[1]);
      if (this.grip) {
        if (this.moved > CLICK_PX) this.grip.move(at[0] - this.held[0], at[1] - this.held[1]);
        return;
      }
      if (this.pointers.size === 2) return this.pinched();
      if (this.moved > CLICK_PX || e.pointerType !== "mouse") {
        canvas.classList.add("atlas-dragging");
        this.view.drag(at[0] - before[0], at[1] - before[1], this.size, e.shiftKey || e.buttons === 4 || e.buttons === 2);
        this.touch();
      }
    });
    const end = (e: PointerEvent) => {
      const at = this.pointers.get(e.pointerId);
      this.pointers.delete(e.pointerId);
      this.pinch = 0;
      canvas.classList.remove("atlas-dragging");
      this.grip?.end();
      this.grip = null;
      if (at && e.type === "pointerup" && this.moved <= CLICK_PX && e.button === 0) {
        const cell = this.at(...at);
        this.told.click(cell, this.view.place(at[0], at[1], cell, this.size));
      }
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => !this.pointers.size && this.told.hover(NOBODY, null));
    canvas.addEventListener("contextmenu", (e) => this.moved > CLICK_PX && e.preventDefault());
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      const unit = e.deltaMode === 1 ? 24 : e.deltaMode === 2 ? 240 : 1;
      this.zoomBy(2 ** (-Math.max(-240, Math.min(240, e.deltaY * unit)) / 160), ...where(e));
      this.point(...where(e));
    }, { passive: false });
    canvas.addEventListener("dblclick", (e) => this.zoomBy(e.shiftKey ? 0.5 : 2, ...where(e)));
    canvas.addEventListener("keydown", (e) => this.key(e));
    canvas.addEventListener("focus", () => this.isPressed || (this.setByKeys(true), this.ask()));
    canvas.addEventListener("blur", () => this.ask());
  }

  private pinched(): void {
    const [a, b] = [...this.pointers.values()], apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
    const x = (a[0] + b[0]) / 2, y = (a[1] + b[1]) / 2;
    if (this.pinch) this.zoomBy(apart / this.pinch, x, y);
    this.pinch = apart;
  }

  zoomBy(factor: number, x = this.size.width / 2, y = this.size.height / 2): void {
    this.view.zoom(factor, x, y, this.size);
    this.touch();
  }

  reset(): void {
    this.view.reset();
    this.touch();
  }

  private key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const step = e.shiftKey ? 8 : 60;
    const arrows: Record<string, [number, number]> = {
      ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step],
    };
    const { width, height } = this.size;
    if (arrows[e.key]) this.view.drag(...arrows[e.key], this.size, false);
    else if (e.key === "+" || e.key === "=") this.view.zoom(2, width / 2, height / 2, this.size);
    else if (e.key === "-" || e.key === "_") this.view.zoom(0.5, width / 2, height / 2, this.size);
    else if (e.key === "0" || e.key === "Home") this.view.reset();
    else if (e.key === "Enter" || e.key === " ") {
      e.preventDefault();
      const cell = this.at(width / 2, height / 2);
      return this.told.click(cell, this.view.place(width / 2, height / 2, cell, this.size));
    } else return;
    e.preventDefault();
    this.setByKeys(true);
    this.touch();
    this.whenSharp(() => this.point(width / 2, height / 2));
  }

  /** Do something once the picture is sharp. */
  whenSharp(then: () => void): void {
    if (this.isSharp) then();
    else setTimeout(() => this.whenSharp(then), 30);
  }
}
