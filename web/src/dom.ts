// How is the page made? Elements with attributes and children; what models say enters as text only.

type Child = Node | string | null | undefined | false;

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Record<string, string> = {}, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false));
  return made;
}

export function button(label: string, act: () => void, attributes: Record<string, string> = {}): HTMLButtonElement {
  const made = el("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

export function select(label: string, options: [string, string][], act: (value: string) => void): HTMLSelectElement {
  const made = el("select", { "aria-label": label }, ...options.map(([value, text]) => el("option", { value }, text)));
  made.addEventListener("change", () => act(made.value));
  return made;
}

export function check(label: Child[], isOn: boolean, act: (isOn: boolean) => void): [HTMLLabelElement, HTMLInputElement] {
  const box = el("input", { type: "checkbox" });
  box.checked = isOn;
  box.addEventListener("change", () => act(box.checked));
  return [el("label", { class: "atlas-check" }, box, ...label), box];
}

export function swatch(color: string, kind = ""): HTMLElement {
  const made = el("span", { class: `atlas-swatch ${kind}`, "aria-hidden": "true" });
  made.style.background = color;
  return made;
}
