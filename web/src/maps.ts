// Which affine map has a cell in input space? Composed from its pattern and the network's weights.

import { Complex, NetworkNode } from "./complex";

/** The slopes of an output, or of some difference of outputs, along each input; null where the page has no weights. */
export function inputSlopes(cx: Complex, pattern: Uint32Array, outputWeights: Float64Array): Float64Array | null {
  const nodes = cx.told.weights;
  if (!nodes) return null;
  const rows: (Float64Array | null)[] = nodes.map(() => null);
  const last = cx.told.output_node;
  rows[last] = outputWeights.slice();
  const layerStart = startsOf(cx, nodes);
  for (let t = last; t > 0; t--) {
    const row = rows[t], node = nodes[t];
    if (!row) continue;
    const into = (input: number) => (rows[input] ??= new Float64Array(nodes[input].size));
    if (node.kind === "affine") for (const term of node.terms!) addTransposed(cx, term, row, into(term.input));
    else if (node.kind === "breakpoints") {
      const out = into(node.input!), at = layerStart[t], slopes = node.slopes ? cx.get(node.slopes) : null;
      for (let i = 0; i < row.length; i++) {
        const piece = pattern[at + i];
        out[i] += row[i] * (slopes ? slopes[i * node.n_pieces! + piece] : piece);
      }
    } else if (node.kind === "max") {
      const out = into(node.input!), at = layerStart[t];
      const offsets = cx.get(node.offsets!), candidates = cx.get(node.candidates!);
      for (let w = 0; w < row.length; w++) out[candidates[offsets[w] + pattern[at + w]]] += row[w];
    }
    rows[t] = null;
  }
  return rows[0] ?? new Float64Array(nodes[0].size);
}

function startsOf(cx: Complex, nodes: NetworkNode[]): number[] {
  const starts = nodes.map(() => 0);
  let layer = 0;
  nodes.forEach((node, t) => {
    if (node.kind === "breakpoints" || node.kind === "max") starts[t] = cx.told.layers[layer++].start;
  });
  return starts;
}

function addTransposed(
  cx: Complex, term: { dense?: string; starts?: string; indices?: string; values?: string }, row: Float64Array, out: Float64Array,
): void {
  if (term.dense !== undefined) {
    const weight = cx.get(term.dense), width = out.length;
    for (let i = 0; i < row.length; i++) {
      const factor = row[i];
      if (factor === 0) continue;
      for (let j = 0, at = i * width; j < width; j++, at++) out[j] += factor * weight[at];
    }
    return;
  }
  const starts = cx.get(term.starts!), indices = cx.get(term.indices!), values = cx.get(term.values!);
  for (let i = 0; i < row.length; i++) {
    if (row[i] === 0) continue;
    for (let g = starts[i]; g < starts[i + 1]; g++) out[indices[g]] += row[i] * values[g];
  }
}

/** The input at a place of the plane. */
export function inputAt(cx: Complex, x: number, y: number): Float64Array | null {
  const origin = cx.find("origin") as Float64Array | undefined, basis = cx.find("basis") as Float64Array | undefined;
  if (!origin || !basis) return null;
  const n = origin.length;
  return Float64Array.from(origin, (o, i) => o + x * basis[i] + y * basis[n + i]);
}
