// Where does the data come from? From the page itself: one run of bytes, written in base64.

import { Atlas, mount } from "./app";
import { Complex, Told } from "./complex";
import { LiveTold, open } from "./live";

function bytesOf(text: string): ArrayBuffer {
  const fast = (Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;
  if (fast) return fast(text).buffer;
  const letters = atob(text), out = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) out[i] = letters.charCodeAt(i);
  return out.buffer;
}

declare global {
  interface Window {
    reluatlas?: Atlas;
  }
}

const root = document.getElementById("atlas");
if (root) {
  try {
    const told = JSON.parse(document.getElementById("atlas-told")!.textContent!) as Told | LiveTold;
    if ("live" in told) {
      document.getElementById("atlas-told")!.remove();
      history.replaceState(null, "", `${location.pathname}${location.hash}`); // the token stays out of links and sight
      open(root, told, (atlas) => (window.reluatlas = atlas));
    } else {
      const data = document.getElementById("atlas-data")!;
      window.reluatlas = mount(root, new Complex(told, bytesOf(data.textContent!.trim())));
      data.remove();
    }
  } catch (problem) {
    root.textContent = `The atlas cannot be shown: ${problem instanceof Error ? problem.message : problem}.`;
  }
}
