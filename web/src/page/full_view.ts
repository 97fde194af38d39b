import { byId, onClick, setText } from "../dom/dom.ts";
import { onLanguage, t } from "../text/i18n.ts";

/**
 * Let the large letters fill the screen, for a room. Where a browser has no full screen, they fill the window.
 *
 * @param onChange is called when the page has another layout.
 */
export function bindFullView(onChange: () => void): void {
  const { dataset } = document.body;
  const show = () => {
    setText(byId("full"), t("full" in dataset ? "full.leave" : "full.enter"));
    onChange();
  };
  const leave = () => {
    if (!("full" in dataset)) return;
    delete dataset.full;
    if (document.fullscreenElement) void document.exitFullscreen().catch(() => undefined);
    show();
  };
  const enter = () => {
    dataset.full = "";
    void document.documentElement.requestFullscreen?.().catch(() => undefined);
    show();
  };
  onClick("full", () => ("full" in dataset ? leave() : enter()));
  document.addEventListener(
    "keydown",
    ({ key }) => key === "Escape" && !document.querySelector("dialog[open]") && leave(),
  );
  document.addEventListener("fullscreenchange", () => document.fullscreenElement || leave());
  onLanguage(show);
  show();
}
