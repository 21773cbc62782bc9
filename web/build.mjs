// Bundles the atlas into src/reluatlas/atlas/bundle; the same sources give the same bytes.
import { build } from "esbuild";

const out = new URL("../src/reluatlas/atlas/bundle/", import.meta.url).pathname;
const common = { bundle: true, minify: true, charset: "ascii", target: "es2022", legalComments: "none", logLevel: "warning" };

await build({ ...common, entryPoints: ["src/page.ts"], outfile: `${out}atlas.js`, format: "iife" });
await build({ ...common, entryPoints: ["src/widget.ts"], outfile: `${out}widget.js`, format: "esm" });
await build({ ...common, entryPoints: ["src/atlas.css"], outfile: `${out}atlas.css` });
