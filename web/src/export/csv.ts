// The table of `emovox predict --format csv`, from the same rows.

import type { Row } from "../recogniser/protocol.ts";
import { rounded } from "./round.ts";

type Cell = string | number | null;

/**
 * Return results as CSV. Columns: file, row (file | segment), start and end in seconds, channel, label, confidence, one
 * score per label, warnings, error.
 */
export function csvText(rows: readonly Row[], labels: readonly string[]): string {
  const header = ["file", "row", "start", "end", "channel", "label", "confidence", ...labels, "warnings", "error"];
  const lines: readonly Cell[][] = [header, ...rows.flatMap((row) => linesOf(rounded(row), labels))];
  return lines.map((cells) => `${cells.map(quoted).join(",")}\n`).join("");
}

function linesOf({ file, duration, label, confidence, scores, warnings, segments }: Row, labels: readonly string[]) {
  const whole = [seconds(0), seconds(duration), "", label, probability(confidence)];
  const codes = warnings.map(({ code }) => code).join(" ");
  const lines: Cell[][] = [
    [file, "file", ...whole, ...labels.map((name) => probability(scores?.[name])), codes, ""],
    ...segments.map((segment) => [
      file,
      "segment",
      seconds(segment.start),
      seconds(segment.end),
      segment.channel,
      segment.label,
      probability(segment.confidence),
      ...labels.map((name) => probability(segment.scores[name])),
      segment.code ?? "",
      "",
    ]),
  ];
  return lines;
}

/** Return a number as Python writes floats: whole numbers have one decimal. */
function seconds(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

const probability = (value: number | null | undefined): string => (value == null ? "" : seconds(value));

const FORMULA = /^'*[=+\-@\t\r＝＋－＠]/; // a cell that a spreadsheet takes for a formula

/** Return a cell as text. One that begins like a formula gets a ' before, so that no spreadsheet computes it. */
function quoted(cell: Cell): string {
  const text = typeof cell === "string" && FORMULA.test(cell) ? `'${cell}` : String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
