// The exported picture: the whole timeline on white, with verdict, legend and model, wide enough for a slide.

import type { ModelName, Row } from "../recogniser/protocol.ts";
import { clock, percent } from "../text/format.ts";
import { labelName, t } from "../text/i18n.ts";
import { layoutOf } from "./layout.ts";
import { paint, type Theme, type TimelineData } from "./paint.ts";
import { bestOf } from "./session.ts";

const WIDTH = 1200;
const MARGIN = 32;
const HEAD = 76;
const LEGEND = 40;
const SHARPNESS = 2;
const THEME: Omit<Theme, "font"> = {
  ink: "#1c2024",
  faint: "#555c64",
  line: "#d9dcdf",
  wave: "#5f7285",
  unsure: "#e3e3e3",
};

/** Return a finished timeline as PNG. */
export async function pictureOf(data: TimelineData, row: Row, model: ModelName, font: string): Promise<Blob> {
  const theme = { ...THEME, font };
  const layout = layoutOf(data.channels.length, data.peaks !== null, 1, data.modalities.length);
  const canvas = document.createElement("canvas");
  const height = HEAD + layout.height + LEGEND + MARGIN;
  [canvas.width, canvas.height] = [WIDTH * SHARPNESS, height * SHARPNESS];
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.scale(SHARPNESS, SHARPNESS);

  const width = WIDTH - 2 * MARGIN;
  const view = { start: 0, secondsPerPixel: Math.max(data.duration, 0.1) / width, width };
  context.save();
  context.translate(MARGIN, HEAD);
  paint({ context, data, layout, view, theme, blocks: "all" });
  context.restore();

  context.textBaseline = "alphabetic";
  context.textAlign = "left";
  context.fillStyle = theme.ink;
  context.font = `600 22px ${font}`;
  context.fillText(verdict(row), MARGIN, 36, width);
  context.fillStyle = theme.faint;
  context.font = `14px ${font}`;
  context.fillText(`${row.file} · ${clock(row.duration)} · emovox ${model.name} ${model.version}`, MARGIN, 60, width);
  legend(context, data, { top: HEAD + layout.height + 18, theme });

  context.globalCompositeOperation = "destination-over"; // below the timeline, which clears its background
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, WIDTH, height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("got no picture from the browser"))), "image/png");
  });
}

function verdict({ label, confidence, scores, segments }: Row): string {
  if (!scores || confidence === null) return t(segments.length ? "result.not_speech" : "result.no_speech");
  if (label !== null) return `${labelName(label)} ${percent(confidence)}`;
  return t("result.unsure", { label: labelName(bestOf(scores)), confidence: percent(confidence) });
}

function legend(
  context: CanvasRenderingContext2D,
  data: TimelineData,
  { top, theme }: { top: number; theme: Theme },
): void {
  const unsure = data.strips.some(({ label }) => label === null);
  const entries = [...data.colours].map(([label, colour]) => [labelName(label), colour] as const);
  if (unsure) entries.push([t("result.not_sure"), theme.unsure]);
  context.font = `14px ${theme.font}`;
  let left = MARGIN;
  for (const [name, colour] of entries) {
    context.fillStyle = colour;
    context.fillRect(left, top, 14, 14);
    context.fillStyle = theme.ink;
    context.fillText(name, left + 20, top + 12);
    left += 20 + context.measureText(name).width + 22;
  }
}
