import { byId, make } from "../dom/dom.ts";
import type { Figure, ModelCard } from "../recogniser/protocol.ts";
import { cardText, riskLines } from "../text/cards.ts";
import { count, number } from "../text/format.ts";
import { labelName, onLanguage, t } from "../text/i18n.ts";

let shown: ModelCard | undefined;

/** Fill "About the model" from the service's card. */
export function showModel(model: ModelCard | undefined): void {
  shown = model;
  draw();
}

/** Keep "About the model" in the current language. */
export function bindAbout(): void {
  onLanguage(draw);
  draw();
}

function draw(): void {
  const place = byId("about-text");
  if (!shown) {
    place.replaceChildren(make("p", "hint", t("about.unknown")));
    return;
  }
  const { name, version, description, labels, parameters, licence, licence_risk, figures } = shown;
  const parts: [string, (Node | string)[]][] = [
    [t("about.labels"), [labels.map(labelName).join(" · ")]],
    [t("about.parameters"), [count(parameters)]],
    [t("about.licence"), [cardText(licence)]],
  ];
  if (licence_risk) parts.push([t("about.risk"), [listOf(riskLines(licence_risk))]]);
  if (figures.length) parts.push([t("about.figures"), [listOf(figures.map(line))]]);
  const list = make("dl", "", ...parts.flatMap(([term, text]) => [make("dt", "", term), make("dd", "", ...text)]));
  place.replaceChildren(make("p", "", make("b", "", `${name} ${version}`), ` – ${cardText(description)}`), list);
}

function listOf(lines: readonly string[]): HTMLUListElement {
  return make("ul", "", ...lines.map((text) => make("li", "", text)));
}

function line({ corpus, protocol, metric, value, low, high }: Figure): string {
  const known = { corpus, protocol, metric, value: number(value, 1) };
  if (low === null || high === null) return t("about.figure_plain", known);
  return t("about.figure", { ...known, low: number(low, 1), high: number(high, 1) });
}
