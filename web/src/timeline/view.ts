// The timeline on the page: a canvas that stays visible under a native scroll bar, and a button for each segment.

import { byId, isMotionReduced, letterUnit, onClick, setHint } from "../dom/dom.ts";
import { clock } from "../text/format.ts";
import { onLanguage, t } from "../text/i18n.ts";
import { SegmentButtons } from "./buttons.ts";
import { layoutOf, pixelOf, type View } from "./layout.ts";
import { paint, type Theme, type TimelineData } from "./paint.ts";

const CLOSEST = 240; // pixels per second at the highest zoom
const LIVE_SECONDS = 30; // visible while the microphone runs
const NARROWEST = 5; // mean width in pixels below which segments have no buttons
const CALM_MS = 1000; // between two steps of a live timeline, with reduced motion
const NEAR_END = 48; // pixels from the end within which a live timeline scrolls along

export const EMPTY: TimelineData = {
  duration: 0,
  channels: [0],
  strips: [],
  modalities: [],
  peaks: null,
  colours: new Map(),
};

export class TimelineView {
  readonly #scroller = byId("scroller");
  readonly #track = byId("track");
  readonly #canvas = this.#track.querySelector("canvas") as HTMLCanvasElement;
  readonly #buttons: SegmentButtons;
  #data = EMPTY;
  #live = false;
  #pixelsPerSecond: number | null = null; // null: as wide as the page
  #requested = 0;
  #shown = 0;

  /**
   * @param onChoose receives a segment that is pressed.
   * @param onFocus receives a segment that the arrow keys reach.
   */
  constructor(onChoose: (index: number) => void, onFocus: (index: number) => void) {
    const revealed = (then: (index: number) => void) => (index: number) => {
      this.#reveal(index);
      then(index);
    };
    this.#buttons = new SegmentButtons(byId("lanes"), revealed(onChoose), revealed(onFocus));
    this.#scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.#scroller);
    onClick("zoom-in", () => this.#zoom(2));
    onClick("zoom-out", () => this.#zoom(0.5));
    onClick("zoom-fit", () => this.#zoom(null));
    onLanguage(() => this.draw());
  }

  /** Show another recording in full, or the end of a live session. */
  open(data: TimelineData, live: boolean): void {
    this.#pixelsPerSecond = null;
    this.playhead = null;
    this.#live = live;
    this.#buttons.clear();
    this.show(data);
    this.#scroller.scrollLeft = live ? this.#scroller.scrollWidth : 0;
  }

  /** Show new data. In a live session the end stays visible, unless the user has scrolled back. */
  show(data: TimelineData): void {
    this.#data = data;
    if (this.#live && isMotionReduced() && performance.now() - this.#shown < CALM_MS) return;
    this.#shown = performance.now();
    const { scrollLeft, scrollWidth, clientWidth } = this.#scroller;
    const atEnd = scrollLeft + clientWidth >= scrollWidth - NEAR_END;
    this.#resize();
    if (this.#live && atEnd) this.#scroller.scrollLeft = this.#scroller.scrollWidth;
    this.draw();
  }

  /** Show a live session in full after its end, like a recording. */
  settle(): void {
    this.#live = false;
    this.#pixelsPerSecond = null;
    this.draw();
  }

  /** Move the focus to the segments, if there are any. */
  focus(): void {
    this.#scroller.querySelector<HTMLElement>('.segment[tabindex="0"]')?.focus();
  }

  choose(index: number | null): void {
    this.#buttons.choose(index);
    this.draw();
  }

  /** The position of the playback in seconds; null hides it. */
  set playhead(seconds: number | null) {
    const line = byId("playhead");
    line.hidden = seconds === null;
    if (seconds !== null) line.style.transform = `translateX(${seconds * this.#scale}px)`;
  }

  /** Draw at the next frame, once for any number of calls. */
  draw(): void {
    this.#requested ||= requestAnimationFrame(() => {
      this.#requested = 0;
      if (this.#scroller.clientWidth) this.#draw();
    });
  }

  get #scale(): number {
    const width = Math.max(1, this.#scroller.clientWidth);
    const seconds = this.#live ? LIVE_SECONDS : Math.max(this.#data.duration, 0.1);
    return this.#pixelsPerSecond ?? width / seconds;
  }

  #resize(): void {
    const width = Math.max(this.#scroller.clientWidth, Math.floor(this.#data.duration * this.#scale));
    this.#track.style.width = `${width}px`;
  }

  #draw(): void {
    this.#resize();
    const data = this.#data;
    const layout = layoutOf(data.channels.length, data.peaks !== null, letterUnit(), data.modalities.length);
    const scale = this.#scale;
    const width = this.#scroller.clientWidth;
    const view: View = { start: this.#scroller.scrollLeft / scale, secondsPerPixel: 1 / scale, width };
    const finals = data.strips.filter((strip) => !strip.preview);
    const seen = finals.filter((strip) => strip.end > view.start && pixelOf(strip.start, view) < width);
    const dense =
      seen.length > 1 && seen.reduce((sum, s) => sum + s.end - s.start, 0) * scale < NARROWEST * seen.length;
    const context = this.#prepare(width, layout.height);
    const blocks = dense ? "all" : "previews";
    paint({ context, data, layout, view, theme: themeOf(this.#track), blocks });
    this.#track.style.height = `${layout.height}px`;
    this.#buttons.show({ data, layout, scale, start: view.start, end: view.start + width / scale, hidden: dense });
    setHint(byId("timeline-hint"), this.#hint(dense, finals.length));
    const length = clock(data.duration);
    this.#canvas.setAttribute("aria-label", t("timeline.summary", { length, count: finals.length }));
  }

  #hint(dense: boolean, segments: number): string | null {
    if (dense) return t("timeline.dense");
    if (!segments) return null;
    return t(byId("play").hidden ? "timeline.hint" : "timeline.hint_play");
  }

  #prepare(width: number, height: number): CanvasRenderingContext2D {
    const ratio = Math.min(3, devicePixelRatio || 1);
    const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.#canvas.width !== columns || this.#canvas.height !== rows) {
      [this.#canvas.width, this.#canvas.height] = [columns, rows];
      this.#canvas.style.width = `${width}px`;
      this.#canvas.style.height = `${height}px`;
    }
    const context = this.#canvas.getContext("2d") as CanvasRenderingContext2D;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  #zoom(factor: number | null): void {
    const before = this.#scale;
    const width = this.#scroller.clientWidth;
    const fit = width / Math.max(this.#data.duration, this.#live ? LIVE_SECONDS : 0.1);
    const middle = (this.#scroller.scrollLeft + width / 2) / before;
    const wanted = factor === null ? fit : Math.max(fit, Math.min(CLOSEST, before * factor));
    this.#pixelsPerSecond = wanted > fit || this.#live ? wanted : null;
    this.#resize();
    this.#scroller.scrollLeft = middle * this.#scale - width / 2;
    this.draw();
  }

  #reveal(index: number): void {
    const strip = this.#data.strips[index];
    if (!strip) return;
    const { scrollLeft, clientWidth } = this.#scroller;
    const [left, right] = [strip.start * this.#scale, strip.end * this.#scale];
    if (left >= scrollLeft && right <= scrollLeft + clientWidth) return;
    const behavior = isMotionReduced() ? "auto" : "smooth";
    this.#scroller.scrollTo({ left: left - clientWidth / 4, behavior });
  }
}

/** Return the current colours of the page, for the canvas. */
export function themeOf(element: Element): Theme {
  const style = getComputedStyle(element);
  const variable = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: variable("--ink"),
    faint: variable("--soft"),
    line: variable("--line"),
    wave: variable("--wave"),
    unsure: variable("--unsure"),
    font: style.fontFamily,
  };
}
