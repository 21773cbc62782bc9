// Which pieces are the units on in a cell? Told along a tree: from a root, cell by cell, what flips.

import { Complex, Numbers } from "./complex";

export interface Flip {
  column: number;
  from: number;
  to: number;
}

export class Patterns {
  private root!: Numbers;
  private parent!: Numbers;
  private none = 255;
  private readonly listed = new Map<number, number>();
  private start!: Numbers;
  private columns!: Numbers;
  private pieces!: Numbers;

  constructor(private readonly cx: Complex) {
    this.load();
    cx.listen(() => this.load());
  }

  private load(): void {
    const { cx } = this;
    this.root = cx.get("flips.root");
    this.parent = cx.get("flips.parent");
    this.none = this.parent instanceof Uint8Array ? 255 : 65535;
    this.start = cx.get("flips.start");
    this.columns = cx.get("flips.column");
    this.pieces = cx.get("flips.piece");
    this.listed.clear();
    cx.get("flips.cell").forEach((cell, i) => this.listed.set(cell, i));
  }

  /** The activation pattern of a cell. */
  of(cell: number): Uint32Array {
    const { starts } = this.cx.cells;
    const way: number[] = [];
    for (let c = cell; ; c = this.cx.neighbor[starts[c] + this.parent[c]]) {
      way.push(c);
      if (this.parent[c] === this.none) break;
    }
    const pattern = Uint32Array.from(this.root);
    for (const c of way.reverse()) {
      const told = this.listed.get(c);
      if (told !== undefined) {
        for (let k = this.start[told]; k < this.start[told + 1]; k++) pattern[this.columns[k]] = this.pieces[k];
      } else if (this.parent[c] !== this.none) {
        const column = this.cx.column[starts[c] + this.parent[c]];
        pattern[column] = 1 - pattern[column];
      }
    }
    return pattern;
  }

  /** What turns on the way from one cell to another. */
  between(from: number, to: number): Flip[] {
    const a = this.of(from), b = this.of(to), out: Flip[] = [];
    for (let c = 0; c < a.length; c++) if (a[c] !== b[c]) out.push({ column: c, from: a[c], to: b[c] });
    return out;
  }
}

/** What a flip is called: "fc1[3]: off → on". */
export function flipText(cx: Complex, { column, from, to }: Flip): string {
  const layer = cx.told.layers[cx.layerOf(column)];
  const piece = (p: number) =>
    layer?.kind === "switch" ? (p ? "on" : "off") : layer?.kind === "window" ? `winner ${p + 1}` : `piece ${p + 1}`;
  return `${cx.unitName(column)}: ${piece(from)} → ${piece(to)}`;
}
