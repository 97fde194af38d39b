// A drawn face for each label, so that nothing depends on colour alone or on installed fonts.

const SVG = "http://www.w3.org/2000/svg";

/** Label or state → strokes of eyes, brows and mouth, on 64 × 64 units. */
const STROKES: Readonly<Record<string, string>> = {
  neutral: "M23 26v4M41 26v4M22 44h20",
  happy: "M19 29q4-6 8 0M37 29q4-6 8 0M18 39q14 16 28 0z",
  sad: "M23 29v4M41 29v4M17 24l9-5M47 24l-9-5M22 48q10-9 20 0",
  angry: "M23 30v3M41 30v3M16 21l12 6M48 21l-12 6M22 47q10-8 20 0",
  fear: "M18 29a5 5 0 1 0 10 0a5 5 0 1 0-10 0M36 29a5 5 0 1 0 10 0a5 5 0 1 0-10 0M17 19l8-3M47 19l-8-3M20 47l5-4 5 4 5-4 5 4 4-4",
  disgust: "M18 25l9 4-9 3M46 25l-9 4 9 3M20 46q6-8 12-3t12-3",
  surprise: "M23 27v4M41 27v4M17 19q6-5 11-1M47 19q-6-5-11-1M26 44a6 7 0 1 0 12 0a6 7 0 1 0-12 0",
  calm: "M18 28q5 5 10 0M36 28q5 5 10 0M23 42q9 6 18 0",
  boredom: "M18 28h10M36 28h10M23 28v4M41 28v4M23 46l18-4",
  unsure: "M25 25q1-8 8-8 8 0 8 7 0 5-5 8-4 2-4 7M32 47v1",
  silent: "M20 32v.1M32 32v.1M44 32v.1",
  hearing: "M16 28v8M24 22v20M32 26v12M40 20v24M48 28v8",
};

/** Return the strokes of a label's face on 64 × 64 units, for a canvas; "unsure" for none. */
export function strokesOf(label: string | null): string {
  return (label === null ? STROKES.unsure : Object.hasOwn(STROKES, label) ? STROKES[label] : undefined) ?? "";
}

/** A state of the page, or a label with its colour. */
export type Face =
  | { readonly state: "unsure" | "silent" | "hearing" }
  | { readonly label: string; readonly colour: string };

/** Return a face as SVG. A label without a face shows its first letter. `ink` colours its strokes; CSS colours states. */
export function face(kind: Face, ink = "#111111"): SVGSVGElement {
  const svg = element("svg", { viewBox: "0 0 64 64", class: "face", "aria-hidden": "true" });
  const name = "state" in kind ? kind.state : kind.label;
  const disc = element("circle", { cx: "32", cy: "32", r: "29.5" });
  if ("state" in kind) disc.setAttribute("class", `disc ${name}`);
  else disc.setAttribute("fill", kind.colour);
  svg.append(disc);
  const strokes = Object.hasOwn(STROKES, name) ? STROKES[name] : undefined;
  if (strokes) {
    const path = element("path", { d: strokes, fill: "none", "stroke-width": "3.4", "stroke-linecap": "round" });
    path.setAttribute("stroke-linejoin", "round");
    path.setAttribute("stroke", "state" in kind ? "currentColor" : ink);
    svg.append(path);
  } else {
    const text = element("text", { x: "32", y: "42", "text-anchor": "middle", "font-size": "28", fill: ink });
    text.textContent = [...name][0]?.toUpperCase() ?? "";
    svg.append(text);
  }
  return svg;
}

function element<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>>,
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
