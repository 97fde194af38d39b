import { en, type Key, type Texts } from "./en.ts";
import { zh } from "./zh.ts";

export type { Key } from "./en.ts";
export type Language = "en" | "zh-CN";

export const TEXTS: Readonly<Record<Language, Texts>> = { en, "zh-CN": zh };

type Overlay = Readonly<Record<Language, Readonly<Record<string, string>>>>;

let overlaid: Overlay = { en: {}, "zh-CN": {} };
let current: Language = "en";
const listeners = new Set<() => void>();

export function language(): Language {
  return current;
}

export function setLanguage(next: Language): void {
  current = next;
  for (const listener of listeners) listener();
}

/** Use other texts in place of some, or besides all. */
export function overlay(texts: Overlay): void {
  overlaid = texts;
}

/** Be called after each change of the language. */
export function onLanguage(listener: () => void): void {
  listeners.add(listener);
}

/** The first of the user's languages that the page speaks, else English. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    if (tag.toLowerCase().startsWith("zh")) return "zh-CN";
    if (tag.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

/** A text in the current language, with `{name}` filled in. */
export function t(key: Key, values: Readonly<Record<string, string | number>> = {}): string {
  return filled(overlaid[current][key] ?? TEXTS[current][key], values);
}

export function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The text of a key that may not exist, such as that of an error's code. */
export function maybe(key: string): string | null {
  return overlaid[current][key] ?? (Object.hasOwn(en, key) ? TEXTS[current][key as Key] : null);
}

/** The name of a modality; one that the page does not know is shown as it is. */
export function modalityName(modality: string): string {
  return maybe(`modality.${modality}`) ?? modality;
}

/** A label's name; labels of users' own models are shown as they are. */
export function labelName(label: string): string {
  return maybe(`label.${label}`) ?? label;
}
