// Draws a timeline on a canvas, for the page and for the exported picture.

import { isSpeech } from "../../packages/emovox/src/engine/summary.ts";
import type { Peaks } from "../audio/peaks.ts";
import { strokesOf } from "../dom/faces.ts";
import { moment } from "../text/format.ts";
import { labelName, modalityName, t } from "../text/i18n.ts";
import { DARK_INK, inkOn } from "./colours.ts";
import { type Band, CAPTION, type Layout, pixelOf, ticks, type View } from "./layout.ts";
import { bestOf, type Strip } from "./session.ts";

export interface TimelineData {
  readonly duration: number;
  readonly channels: readonly number[];
  readonly strips: readonly Strip[];
  /** The modalities that have a row; none if there is only the voice. */
  readonly modalities: readonly string[];
  readonly peaks: Peaks | null;
  readonly colours: ReadonlyMap<string, string>;
}

export interface Theme {
  readonly ink: string;
  readonly faint: string;
  readonly line: string;
  readonly wave: string;
  readonly unsure: string;
  readonly font: string;
}

export interface Painting {
  readonly context: CanvasRenderingContext2D;
  readonly data: TimelineData;
  readonly layout: Layout;
  readonly view: View;
  readonly theme: Theme;
  /** The strips to draw as blocks in the lanes: only previews on the page, which has buttons for final segments. */
  readonly blocks: "previews" | "all";
}

const LOWEST_PEAK = 0.04; // full height of the waveform, at least, so that the noise of a quiet room stays low
const PREVIEW_ALPHA = 0.45;
const TINT_ALPHA = 0.16;
const SMALL = 11;
const FACE = 20; // pixels

export function paint(painting: Painting): void {
  const { context, data, layout, view } = painting;
  context.clearRect(0, 0, view.width, layout.height);
  const end = view.start + view.width * view.secondsPerPixel;
  const visible = data.strips.filter((strip) => strip.end > view.start && strip.start < end);
  if (data.peaks && layout.wave.height) paintWave(painting, data.peaks, visible);
  for (const [index, channel] of data.channels.entries()) {
    const strips = visible.filter((strip) => strip.channel === channel);
    const [lane, scores] = [layout.lanes[index], layout.scores[index]];
    if (lane) paintLane(painting, strips, lane);
    for (const [row, name] of data.modalities.entries()) {
      const band = layout.modalities[index]?.[row];
      if (band) paintModality(painting, strips, name, band);
    }
    if (scores) paintScores(painting, strips, scores);
    const several = data.channels.length > 1;
    const name = several ? t("timeline.channel", { channel }) : "";
    if (lane && several) caption(painting, name, lane.top);
    if (scores) caption(painting, `${t("timeline.scores")}${name && ` · ${name}`}`, scores.top);
  }
  if (layout.wave.height) caption(painting, t("timeline.wave"), layout.wave.top);
  paintAxis(painting);
}

function colourOf(strip: Strip, { data, theme }: Painting): string {
  return strip.label === null ? theme.unsure : (data.colours.get(strip.label) ?? theme.unsure);
}

function paintWave(painting: Painting, peaks: Peaks, strips: readonly Strip[]): void {
  const { context, data, layout, view, theme } = painting;
  const { top, height } = layout.wave;
  if (data.channels.length < 2) {
    for (const strip of strips) {
      context.globalAlpha = strip.preview ? TINT_ALPHA / 2 : TINT_ALPHA;
      fill(painting, strip, { top, height }, colourOf(strip, painting));
    }
    context.globalAlpha = 1;
  }
  const middle = top + height / 2;
  const scale = height / 2 / Math.max(peaks.largest, LOWEST_PEAK) / 1.05;
  const last = Math.min(view.width, pixelOf(peaks.duration, view));
  context.fillStyle = theme.wave;
  context.beginPath();
  for (let x = 0; x < last; x += 1) {
    const start = view.start + x * view.secondsPerPixel;
    const [low, high] = peaks.between(start, start + view.secondsPerPixel);
    context.rect(x, middle - high * scale, 1, Math.max(1, (high - low) * scale));
  }
  context.fill();
}

function paintLane(painting: Painting, strips: readonly Strip[], lane: Band): void {
  const { context, theme, blocks, view } = painting;
  context.fillStyle = theme.line;
  context.fillRect(0, lane.top + lane.height - 1, view.width, 1);
  for (const strip of strips) {
    if (!strip.preview && blocks === "previews") continue;
    const colour = colourOf(strip, painting);
    context.globalAlpha = strip.preview ? PREVIEW_ALPHA : 1;
    fill(painting, strip, { top: lane.top, height: lane.height - 1 }, colour);
    context.globalAlpha = 1;
    if (!strip.preview) nameBlock(painting, strip, lane, colour);
  }
}

/** Draw the likeliest label of one modality for each strip that has it. */
function paintModality(painting: Painting, strips: readonly Strip[], name: string, band: Band): void {
  const { context, data, layout, theme, view } = painting;
  caption(painting, modalityName(name), band.top);
  context.fillStyle = theme.line;
  context.fillRect(0, band.top + band.height - 1, view.width, 1);
  for (const strip of strips) {
    const scores = strip.modalities?.[name];
    if (!scores) continue;
    const label = bestOf(scores);
    const colour = data.colours.get(label) ?? theme.unsure;
    fill(painting, strip, { top: band.top, height: band.height - 1 }, colour);
    const text = labelName(label);
    context.font = `${SMALL * layout.unit}px ${theme.font}`;
    if (context.measureText(text).width + 8 > (strip.end - strip.start) / view.secondsPerPixel) continue;
    context.fillStyle = inkOn(colour);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(text, pixelOf((strip.start + strip.end) / 2, view), band.top + band.height / 2);
  }
}

/** Return the name of a segment: its label, or why it has none. */
export function nameOf(strip: Strip): string {
  if (!isSpeech(strip)) return t("result.not_speech");
  return strip.label === null ? t("result.not_sure") : labelName(strip.label);
}

/** Draw the face and, if there is room, the name of a segment. */
function nameBlock({ context, theme, view }: Painting, strip: Strip, lane: Band, colour: string): void {
  const width = (strip.end - strip.start) / view.secondsPerPixel;
  const text = nameOf(strip);
  context.font = `600 13px ${theme.font}`;
  const letters = context.measureText(text).width;
  const middle = pixelOf((strip.start + strip.end) / 2, view);
  const named = width >= letters + FACE + 12;
  if (width >= FACE) drawFace(context, strip.label, middle - (named ? (letters + 6) / 2 : 0), lane);
  if (!named) return;
  context.fillStyle = strip.label === null ? theme.ink : inkOn(colour);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, middle + (FACE + 6) / 2, lane.top + lane.height / 2);
}

function drawFace(context: CanvasRenderingContext2D, label: string | null, middle: number, lane: Band): void {
  context.save();
  context.translate(middle - FACE / 2, lane.top + (lane.height - FACE) / 2);
  context.scale(FACE / 64, FACE / 64);
  context.fillStyle = "#ffffff";
  context.beginPath();
  context.arc(32, 32, 29.5, 0, 2 * Math.PI);
  context.fill();
  context.strokeStyle = DARK_INK;
  context.lineWidth = 4;
  context.lineCap = "round";
  context.stroke(new Path2D(strokesOf(label)));
  context.restore();
}

/** Draw the stacked scores of each strip of speech, with the first label at the bottom. */
function paintScores(painting: Painting, strips: readonly Strip[], { top, height }: Band): void {
  const { context, data, theme, view } = painting;
  for (const strip of strips.filter(isSpeech)) {
    let floor = top + height;
    context.globalAlpha = strip.preview ? PREVIEW_ALPHA + 0.2 : 1;
    for (const [label, colour] of data.colours) {
      const share = (strip.scores[label] ?? 0) * height;
      floor -= share;
      fill(painting, strip, { top: floor, height: share }, colour);
    }
  }
  context.globalAlpha = 1;
  context.fillStyle = theme.line;
  for (const share of [0, 0.5, 1])
    context.fillRect(0, Math.round(top + share * height) - (share ? 1 : 0), view.width, 1);
}

/** Draw a block, with a thin gap to the next strip if there is room. */
function fill({ context, view }: Painting, strip: Strip, { top, height }: Band, colour: string): void {
  const [left, right] = [pixelOf(strip.start, view), pixelOf(strip.end, view)];
  context.fillStyle = colour;
  context.fillRect(left, top, Math.max(0.75, right - left - (right - left > 8 && !strip.preview ? 1 : 0)), height);
}

function paintAxis({ context, data, layout, view, theme }: Painting): void {
  const { unit } = layout;
  context.font = `${(SMALL + 1) * unit}px ${theme.font}`;
  context.textBaseline = "top";
  const { times, digits } = ticks(view, unit);
  for (const seconds of times) {
    const x = pixelOf(seconds, view);
    const text = moment(seconds, { longest: data.duration, digits });
    context.fillStyle = theme.line;
    context.fillRect(x, layout.axis.top, 1, 5);
    context.fillStyle = theme.faint;
    context.textAlign = x < 16 * unit ? "left" : x > view.width - 16 * unit ? "right" : "center";
    context.fillText(text, x, layout.axis.top + 8 * unit);
  }
}

/** Draw a small name above a band. */
function caption({ context, layout, theme }: Painting, text: string, top: number): void {
  context.font = `${SMALL * layout.unit}px ${theme.font}`;
  context.textAlign = "left";
  context.textBaseline = "top";
  context.fillStyle = theme.faint;
  context.fillText(text, 0, top - (CAPTION - 2) * layout.unit);
}
