import { UNFAMILIAR, VERY_UNFAMILIAR } from "../../packages/emovox/src/engine/familiarity.ts";
import { byId, emsOf, make, setHint, setText } from "../dom/dom.ts";
import { face } from "../dom/faces.ts";
import type { LabelSets, Notice, Row } from "../recogniser/protocol.ts";
import { percent } from "../text/format.ts";
import { maybe, t } from "../text/i18n.ts";
import { inkOn } from "../timeline/colours.ts";
import { type Readout, setWords } from "./readout.ts";
import { ScoreList } from "./scores.ts";

/** Codes of warnings that the large letters already show. */
const SHOWN = new Set(["uncertain", "no_speech"]);

/** What the large letters need besides: the threshold, and the promise for sets of labels; null: none. */
export interface Shown {
  readonly threshold: number | null;
  readonly sets: LabelSets | null;
}

/** Shows the large letters: face, emotion, confidence, and the scores beside them. */
export class Stage {
  readonly #root = byId("stage");
  readonly #scores = new ScoreList(byId("scores"));
  #face = "";

  show(readout: Readout, colours: ReadonlyMap<string, string>, { threshold, sets }: Shown): void {
    const name = "label" in readout.face ? readout.face.label : `state ${readout.face.state}`;
    this.#drawFace(readout.face, name, colours);
    this.#root.dataset.face = "label" in readout.face ? "label" : readout.face.state;
    setHint(byId("source"), readout.source);
    setText(byId("headline"), readout.headline);
    this.#root.style.setProperty("--ems", widestWord(readout.headline).toFixed(2));
    setHint(byId("confidence"), readout.confidence);
    setHint(byId("detail"), readout.detail);
    this.#scores.show(readout.scores, colours);
    this.#root.classList.toggle("scored", readout.scores !== null);
    byId("scores").classList.toggle("marked", threshold !== null);
    byId("scores").style.setProperty("--threshold", `${100 * (threshold ?? 0)}%`);
    setHint(byId("label-set"), setWords(readout, sets));
    setHint(byId("threshold"), threshold === null ? null : t("result.threshold", { threshold: percent(threshold) }));
  }

  /** Show the warnings of a result in the user's language, or in the service's words if the page does not know the code. */
  warn(row: Row | null): void {
    const warnings = row ? row.warnings.filter(({ code }) => !SHOWN.has(code)).map((one) => warningOf(one, row)) : [];
    const list = byId("warnings");
    list.replaceChildren(...warnings.map((text) => make("li", "", text)));
    list.hidden = !warnings.length;
  }

  #drawFace(kind: Readout["face"], name: string, colours: ReadonlyMap<string, string>): void {
    const colour = "label" in kind ? (colours.get(kind.label) ?? "#9a9a9a") : "";
    const key = `${name} ${colour}`;
    if (key === this.#face) return;
    this.#face = key;
    byId("face").replaceChildren("label" in kind ? face({ label: kind.label, colour }, inkOn(colour)) : face(kind));
    this.#root.style.setProperty("--emotion", colour || "transparent");
  }
}

function warningOf({ code, message }: Notice, { adapted, unfamiliarity = 0 }: Row): string {
  if (code !== UNFAMILIAR) return maybe(`warning.${code}`) ?? message;
  if (adapted) return t("warning.unfamiliar_adapted");
  return t(unfamiliarity >= VERY_UNFAMILIAR ? "warning.very_unfamiliar" : "warning.unfamiliar");
}

/** Return the width in ems of the widest word, so that the large letters fit without a break inside a word. */
function widestWord(text: string): number {
  return Math.max(1, ...text.split(" ").map((word) => emsOf(word, 700)));
}
