// The lines of a transcript, each with the emotion of the voice at its time.

import { byId, make } from "../dom/dom.ts";
import { face } from "../dom/faces.ts";
import type { SpokenLine } from "../recogniser/protocol.ts";
import { percent, span } from "../text/format.ts";
import { labelName, t } from "../text/i18n.ts";
import { inkOn } from "../timeline/colours.ts";

/** Show lines below the timeline; none hides the list. */
export function showLines(lines: readonly SpokenLine[], colours: ReadonlyMap<string, string>): void {
  byId("lines").hidden = !lines.length;
  byId("lines-list").replaceChildren(...lines.map((line) => item(line, colours)));
}

function item(line: SpokenLine, colours: ReadonlyMap<string, string>): HTMLLIElement {
  const colour = colours.get(line.label ?? "");
  const kind = line.label !== null && colour ? { label: line.label, colour } : ({ state: "unsure" } as const);
  const icon = face(line.scores ? kind : { state: "silent" }, colour && inkOn(colour));
  const speaker = line.speaker === null ? "" : `${line.speaker}: `;
  const when = make("span", "hint", `${span(line.start, line.end)} · ${verdictOf(line)}`);
  return make("li", "", icon, make("span", "said", `${speaker}${line.text}`), when);
}

function verdictOf({ label, confidence, scores }: SpokenLine): string {
  if (!scores || confidence === null) return t("state.no_speech");
  return label === null ? t("result.not_sure") : `${labelName(label)} ${percent(confidence)}`;
}
