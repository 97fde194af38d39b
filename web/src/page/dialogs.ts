import { byId, make } from "../dom/dom.ts";
import type { ModelCard } from "../recogniser/protocol.ts";
import { cardText } from "../text/cards.ts";
import { labelName, t } from "../text/i18n.ts";

/** Open a dialog. Resolves to true if the user accepts, and to false on cancel or Escape. */
function ask(id: string): Promise<boolean> {
  const dialog = byId(id, HTMLDialogElement);
  return new Promise((resolve) => {
    const settle = (accepted: boolean) => {
      controller.abort();
      dialog.close();
      resolve(accepted);
    };
    const controller = new AbortController();
    const { signal } = controller;
    dialog.addEventListener("cancel", () => settle(false), { signal });
    dialog.addEventListener(
      "click",
      ({ target }) => {
        const action = target instanceof HTMLElement ? target.dataset.action : undefined;
        if (action) settle(action === "accept");
      },
      { signal },
    );
    dialog.addEventListener(
      "submit",
      (event) => {
        event.preventDefault(); // the browser must not send the form
        settle(true);
      },
      { signal },
    );
    dialog.showModal();
  });
}

/** Explain what the microphone is used for. Resolves to true if the user agrees; it is not opened before. */
export function askConsent(model: ModelCard | undefined): Promise<boolean> {
  const name = model ? `${model.name} ${model.version}` : "";
  const comma = t("label.sad") === "悲伤" ? "、" : ", ";
  const labels = model?.labels.map(labelName).join(comma) ?? "";
  const parts: readonly (readonly [string, string])[] = [
    [t("consent.what"), t("consent.what_text", { model: name, labels })],
    [t("consent.where"), t("consent.where_text", { host: location.host })],
    [t("consent.how"), t("consent.how_text")],
    [t("consent.law"), t("consent.law_text")],
    ...(model ? ([[t("consent.licence"), cardText(model.licence)]] as const) : []),
  ];
  byId("consent-text").replaceChildren(
    ...parts.flatMap(([term, text]) => [make("dt", "", term), make("dd", "", text)]),
  );
  return ask("consent");
}

/** Ask for the service's key. Resolves to null if the user has none; `refused` says that the last key was wrong. */
export async function askKey(refused: boolean): Promise<string | null> {
  const field = byId("key-value", HTMLInputElement);
  byId("key-refused").hidden = !refused;
  field.value = "";
  const accepted = await ask("key");
  const key = field.value.trim();
  field.value = "";
  return accepted && key ? key : null;
}
