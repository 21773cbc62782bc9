// How do the cells of a live atlas come? From whoever computes them, window by window, over a line of messages.

import { Atlas, Home, mount } from "./app";
import { Complex, Told } from "./complex";
import type { Anchor, Turn } from "./steer";

export interface LiveTold {
  live: { socket: string; token: string };
  low: [number, number];
  high: [number, number];
}

export type Box = [number, number, number, number];

/** What is looked at. */
export interface Request {
  window: Box | null;
  plane: Anchor[] | null;
  turn: Turn | null;
  step: number;
  maps: boolean; // whether cells are colored by their maps
  moving: boolean; // whether the hand still moves
}

/** What is looked at first: all of the first plane. */
export const FIRST: Request = { window: null, plane: null, turn: null, step: 0, maps: false, moving: false };

/** Asks over a line, and shows what comes back. While the hand moves, the next is asked for when the last is answered. */
export class Line {
  private id = 0;
  private isBusy = false; // with what moves
  private held: Request | null = null;
  private atlas: Atlas | null = null;
  private readonly early: [Told, ArrayBuffer, number][] = []; // of other networks, before the first one is there

  constructor(
    private readonly root: HTMLElement, private readonly send: (text: string) => void, private readonly ready: (atlas: Atlas) => void,
    private readonly home: Home = "page",
  ) {}

  begin(): void {
    this.root.textContent = "Computing the cells. The first time on a machine the kernels are compiled: about a minute.";
    this.ask(FIRST);
  }

  ask(request: Request): void {
    if (request.moving && this.isBusy) {
      this.held = request;
      return;
    }
    this.held = null;
    this.isBusy = request.moving;
    this.send(JSON.stringify({ id: ++this.id, ...request }));
  }

  say(text: string): void {
    if (this.atlas) this.atlas.status(text);
    else this.root.textContent = text;
  }

  /** Take a message: words alone, or the number of a request, the length of the words, the words, and arrays. */
  take(message: ArrayBuffer | string): void {
    if (typeof message === "string") {
      const { id, error } = JSON.parse(message) as { id: number; error?: string };
      if (id !== this.id) return;
      if (error) this.say(`${error}.`.replace(/\.+$/, "."));
      this.isBusy = false;
      if (this.held) this.ask(this.held);
      return;
    }
    const view = new DataView(message), length = view.getUint32(8, true);
    if (Number(view.getBigUint64(0, true)) !== this.id) return; // of a window that is no longer looked at
    const words = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 12, length))) as Told;
    const start = 12 + length;
    const data = start % 8 ? message.slice(start) : message, at = start % 8 ? 0 : start;
    if (this.atlas) this.atlas.load(words, data, at);
    else if (words.which || words.preview) this.early.push([words, data, at]);
    else {
      this.atlas = mount(this.root, new Complex(words, data, at), { source: this, home: this.home });
      for (const other of this.early.splice(0)) this.atlas.load(...other);
      this.ready(this.atlas);
    }
  }
}

/** Open a live atlas on the server that gave the page; `ready` is given it once the first cells are there. */
export function open(root: HTMLElement, told: LiveTold, ready: (atlas: Atlas) => void): void {
  const socket = new WebSocket(`${told.live.socket}?token=${encodeURIComponent(told.live.token)}`);
  socket.binaryType = "arraybuffer";
  const line = new Line(root, (text) => socket.readyState === WebSocket.OPEN && socket.send(text), ready);
  socket.addEventListener("open", () => line.begin());
  socket.addEventListener("message", (e: MessageEvent<ArrayBuffer | string>) => line.take(e.data));
  socket.addEventListener("close", (e) => line.say(`The server has gone${e.reason ? `: ${e.reason}` : ""}. Start it again and open its address.`));
}
