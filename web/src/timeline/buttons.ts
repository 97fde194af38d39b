// A button for each visible segment, so that lanes work with keyboard, touch and screen readers.

import { isSpeech } from "../../packages/emovox/src/engine/summary.ts";
import { emsOf, letterUnit, make } from "../dom/dom.ts";
import { face } from "../dom/faces.ts";
import type { Modalities } from "../recogniser/protocol.ts";
import { percent, span } from "../text/format.ts";
import { labelName, modalityName, t } from "../text/i18n.ts";
import { DARK_INK, inkOn } from "./colours.ts";
import type { Layout } from "./layout.ts";
import { nameOf, type TimelineData } from "./paint.ts";
import { bestOf, type Strip, unadapted } from "./session.ts";

// Sizes at letters of 16 pixels; they grow with the letters.
const LETTERS = 14;
const FACE = 26; // with the gap to the text
const SMALLEST_FACE = 14;
const PADDING = 10;
const MARGIN = 1; // widths of the view on each side that have buttons, too: the keyboard can reach them

export interface Shown {
  readonly data: TimelineData;
  readonly layout: Layout;
  /** Pixels per second. */
  readonly scale: number;
  readonly start: number;
  readonly end: number;
  readonly hidden: boolean;
}

/** The buttons. One of them is in the tab order; the arrow keys, Home and End move the focus, and choose. */
export class SegmentButtons {
  readonly #made = new Map<number, HTMLButtonElement>();
  #shown: Shown | null = null;
  #chosen: number | null = null;

  constructor(
    private readonly place: HTMLElement,
    private readonly onChoose: (index: number) => void,
    private readonly onFocus: (index: number) => void,
  ) {
    place.setAttribute("role", "group");
    place.addEventListener("click", ({ target }) => this.#pressed(target));
    place.addEventListener("keydown", (event) => this.#moved(event));
  }

  clear(): void {
    this.#chosen = null;
    this.#shown = null;
    this.#made.clear();
    this.place.replaceChildren();
  }

  choose(index: number | null): void {
    this.#chosen = index;
  }

  show(shown: Shown): void {
    this.#shown = shown;
    this.place.setAttribute("aria-label", t("timeline.segments"));
    const { data, start, end, hidden } = shown;
    const margin = MARGIN * (end - start);
    const wanted = new Map<number, Strip>();
    if (!hidden) {
      for (const [index, strip] of data.strips.entries()) {
        const near = strip.end > start - margin && strip.start < end + margin;
        if (!strip.preview && (near || index === this.#chosen)) wanted.set(index, strip);
      }
    }
    for (const [index, button] of this.#made) {
      if (wanted.has(index)) continue;
      button.remove();
      this.#made.delete(index);
    }
    for (const [index, strip] of wanted) this.#place(index, strip, shown);
    const entry = this.#chosen !== null && wanted.has(this.#chosen) ? this.#chosen : [...wanted.keys()][0];
    for (const [index, button] of this.#made) {
      button.tabIndex = index === entry ? 0 : -1;
      button.setAttribute("aria-pressed", String(index === this.#chosen));
    }
  }

  #place(index: number, strip: Strip, { data, layout, scale }: Shown): void {
    const lane = layout.lanes[data.channels.indexOf(strip.channel)];
    if (!lane) return;
    let button = this.#made.get(index);
    if (!button) {
      button = make("button", "segment");
      button.type = "button";
      button.dataset.index = String(index);
      this.#made.set(index, button);
      const next = [...this.#made.keys()].filter((other) => other > index).sort((a, b) => a - b)[0];
      this.place.insertBefore(button, next === undefined ? null : (this.#made.get(next) ?? null));
    }
    const width = Math.max(4, (strip.end - strip.start) * scale - 1);
    button.style.left = `${strip.start * scale}px`;
    button.style.top = `${lane.top}px`;
    button.style.width = `${width}px`;
    button.style.height = `${lane.height - 2}px`;
    this.#dress(button, strip, data, width);
  }

  #dress(button: HTMLButtonElement, strip: Strip, data: TimelineData, width: number): void {
    const name = inWords(strip);
    const { label } = strip;
    const colour = label === null ? null : (data.colours.get(label) ?? null);
    const verdict = nameOf(strip);
    const plain = unadapted(strip);
    const text = plain ? `${labelName(plain.label)} → ${verdict}` : verdict;
    const unit = letterUnit();
    const room = width / unit - PADDING - LETTERS * emsOf(text, 600);
    const hasText = room >= FACE;
    const hasFace = width >= SMALLEST_FACE;
    const key = `${name} ${hasText} ${hasFace} ${colour}`;
    if (button.dataset.key === key) return;
    button.dataset.key = key;
    button.title = name;
    button.setAttribute("aria-label", name);
    button.classList.toggle("unsure", colour === null);
    button.style.background = colour ?? "";
    button.style.color = colour ? inkOn(colour) : "";
    const nothing = { state: isSpeech(strip) ? "unsure" : "silent" } as const;
    const icon = label === null || !colour ? face(nothing) : face({ label, colour }, DARK_INK);
    button.replaceChildren(...(hasFace ? [icon] : []), ...(hasText ? [text] : []));
  }

  #pressed(target: EventTarget | null): void {
    const button = target instanceof Element ? target.closest("button") : null;
    if (button) this.onChoose(Number(button.dataset.index));
  }

  #moved(event: KeyboardEvent): void {
    const strips = this.#shown?.data.strips ?? [];
    const here = Number((event.target as HTMLElement).dataset.index);
    const current = strips[here];
    if (!current || event.altKey || event.ctrlKey || event.metaKey) return;
    const order = [...strips.keys()].filter((index) => !strips[index]?.preview);
    const lane = order.filter((index) => strips[index]?.channel === current.channel);
    const others = order.filter((index) => strips[index]?.channel !== current.channel);
    const at = lane.indexOf(here);
    const overlapping = () => nearest(others, strips, current);
    const moves: Readonly<Record<string, () => number | undefined>> = {
      ArrowRight: () => lane[at + 1],
      ArrowLeft: () => lane[at - 1],
      ArrowDown: overlapping,
      ArrowUp: overlapping,
      Home: () => lane[0],
      End: () => lane[lane.length - 1],
    };
    const next = moves[event.key]?.();
    if (!(event.key in moves)) return;
    event.preventDefault();
    if (next !== undefined) this.#focus(next);
  }

  #focus(index: number): void {
    const shown = this.#shown;
    if (!shown) return;
    this.#chosen = index;
    this.show(shown);
    this.#made.get(index)?.focus({ preventScroll: false });
    this.onFocus(index);
  }
}

function nearest(indices: readonly number[], strips: readonly Strip[], strip: Strip): number | undefined {
  const distance = (index: number) => Math.abs((strips[index]?.start ?? 0) - strip.start);
  return [...indices].sort((a, b) => distance(a) - distance(b))[0];
}

/** Return a segment in words: its times, label and confidence, those without adaptation if they differ, and those of
 * each modality if there are several. */
export function inWords(strip: Strip): string {
  const plain = unadapted(strip);
  const without =
    plain && t("adapted.without", { label: labelName(plain.label), confidence: percent(plain.confidence) });
  const further = [without, modalitiesText(strip.modalities)].filter((text) => text !== null);
  return further.length ? `${verdictOf(strip)} (${further.join("; ")})` : verdictOf(strip);
}

/** Return what each modality says alone; null if there is only the voice. */
export function modalitiesText(modalities: Modalities | undefined): string | null {
  const all = Object.entries(modalities ?? {});
  if (all.length < 2) return null;
  const parts = all.map(([name, scores]) => {
    const best = bestOf(scores);
    const words = { modality: modalityName(name), label: labelName(best), confidence: percent(scores[best] ?? 0) };
    return t("modality.says", words);
  });
  return parts.join("; ");
}

function verdictOf(strip: Strip): string {
  const { start, end, label, confidence, scores } = strip;
  const when = span(start, end);
  if (!isSpeech(strip)) return t("timeline.segment_other", { span: when });
  if (label !== null) {
    return t("timeline.segment", { span: when, label: labelName(label), confidence: percent(confidence) });
  }
  const best = labelName(bestOf(scores));
  return t("timeline.segment_unsure", { span: when, label: best, confidence: percent(confidence) });
}
