// Helpers for the DOM.

import { type Key, onLanguage, t } from "../text/i18n.ts";

/** Return the element of index.html with an id. */
export function byId(id: string): HTMLElement;
export function byId<E extends HTMLElement>(id: string, kind: new () => E): E;
export function byId(id: string, kind: new () => HTMLElement = HTMLElement): HTMLElement {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`got no ${kind.name} "${id}" in the page, expected one`);
  return element;
}

/** Return a new element with a class and children. Strings become text and never markup. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = "",
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

export function onClick(id: string, action: () => unknown): void {
  byId(id).addEventListener("click", () => void action());
}

/** Set a text only if it differs, so that screen readers are not disturbed. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Set a text and show its element; hide the element if the text is empty or null. */
export function setHint(element: HTMLElement, text: string | null): void {
  element.hidden = !text;
  setText(element, text ?? "");
}

/** Keep all elements with `data-text`, `data-label` or `data-title` in the current language. */
export function bindTexts(): void {
  const apply = () => {
    for (const element of document.querySelectorAll<HTMLElement>("[data-text], [data-label], [data-title]")) {
      const { text, label, title } = element.dataset as { text?: Key; label?: Key; title?: Key };
      if (text) setText(element, t(text));
      if (label) element.setAttribute("aria-label", t(label));
      if (title) element.title = t(title);
    }
    document.title = t("title");
  };
  onLanguage(apply);
  apply();
}

/** Return whether the user prefers reduced motion. */
export function isMotionReduced(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Return a sixteenth of the size of the page's letters, in pixels: they grow with the screen. */
export function letterUnit(): number {
  return (Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16) / 16;
}

let measure: CanvasRenderingContext2D | null = null;

/** Return the width of a text in the page's letters, in ems. */
export function emsOf(text: string, weight: number): number {
  measure ??= document.createElement("canvas").getContext("2d");
  if (!measure) return 0.6 * text.length;
  measure.font = `${weight} 100px ${getComputedStyle(document.body).fontFamily}`;
  return measure.measureText(text).width / 100;
}
