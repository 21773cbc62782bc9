// What must a view be able to do? Draw itself sharp in slices, tell how an old picture moves, and what is where.

import type { Raster } from "./raster";
import type { Shown, ViewName } from "./state";

export interface Size {
  width: number;
  height: number; // in pixels of the page
  ratio: number; // pixels of the screen to one of the page
}

/** Where an old picture lies now: x' = x * scale[0] + shift[0], in pixels of the page. */
export interface Move {
  scale: [number, number];
  shift: [number, number];
}

export interface Grip {
  move(dx: number, dy: number): void;
  end(): void;
}

export interface View<Camera = unknown> {
  readonly name: ViewName;
  camera(size: Size): Camera;
  /** Draw into a picture; yields when it may be interrupted. */
  draw(raster: Raster, camera: Camera, size: Size): Generator<void>;
  /** How a picture drawn with one camera lies under another; null when it cannot be moved there. */
  follow(drawn: Camera, now: Camera, size: Size): Move | null;
  /** Draw what changes with the pointer, in pixels of the page. */
  overlay(c: CanvasRenderingContext2D, size: Size): void;
  drag(dx: number, dy: number, size: Size, isTurning: boolean): void;
  zoom(factor: number, x: number, y: number, size: Size): void;
  reset(): void;
  /** The place of the plane under a pixel, where there is one. */
  place(x: number, y: number, cell: number, size: Size): [number, number] | null;
  isStale(changed: Partial<Shown>): boolean;
  /** What is taken hold of at a pixel: told how far it was dragged, and when it is let go. Null where there is nothing. */
  grab?(x: number, y: number, size: Size, isTouch: boolean): Grip | null;
}
