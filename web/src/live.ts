// How do the cells of a live atlas come? Over a socket to the server that gave the page, window by window.

import { Atlas, mount } from "./app";
import { Complex, Told } from "./complex";
import type { Anchor } from "./steer";

export interface LiveTold {
  live: { socket: string; token: string };
  low: [number, number];
  high: [number, number];
}

/** Open a live atlas; `ready` is given it once the first cells are there. */
export function open(root: HTMLElement, told: LiveTold, ready: (atlas: Atlas) => void): void {
  const socket = new WebSocket(`${told.live.socket}?token=${encodeURIComponent(told.live.token)}`);
  socket.binaryType = "arraybuffer";
  let id = 0, atlas: Atlas | null = null;
  const ask = (window: [number, number, number, number] | null, plane: Anchor[] | null) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ id: ++id, window, plane }));
  };
  const say = (text: string) => (atlas ? atlas.status(text) : (root.textContent = text));
  socket.addEventListener("open", () => {
    root.textContent = "Computing the cells. The first time on a machine the kernels are compiled: about a minute.";
    ask(null, null);
  });
  socket.addEventListener("message", (e: MessageEvent<ArrayBuffer | string>) => {
    if (typeof e.data === "string") {
      const { id: of, error } = JSON.parse(e.data) as { id: number; error: string };
      if (of === id) say(`${error}.`.replace(/\.+$/, "."));
      return;
    }
    const view = new DataView(e.data), length = view.getUint32(8, true);
    if (Number(view.getBigUint64(0, true)) !== id) return; // of a window that is no longer looked at
    const words = JSON.parse(new TextDecoder().decode(new Uint8Array(e.data, 12, length))) as Told;
    const start = 12 + length;
    const data = start % 8 ? e.data.slice(start) : e.data;
    if (atlas) atlas.complex.load(words, data, start % 8 ? 0 : start);
    else ready((atlas = mount(root, new Complex(words, data, start % 8 ? 0 : start), { ask })));
  });
  socket.addEventListener("close", (e) => say(`The server has gone${e.reason ? `: ${e.reason}` : ""}. Start it again and open its address.`));
}
