// Language and colours: the only things that the page remembers.

import { byId, onClick } from "../dom/dom.ts";
import { type Language, language, onLanguage, preferredLanguage, setLanguage } from "../text/i18n.ts";

const LANGUAGE = "emovox.language";
const THEME = "emovox.theme";
const THEMES = ["auto", "light", "dark"];
const OTHER: Readonly<Record<Language, { language: Language; name: string }>> = {
  en: { language: "zh-CN", name: "中文" },
  "zh-CN": { language: "en", name: "English" },
};

/** Apply the remembered language and colours, or else those of the browser. Called before the page is drawn. */
export function applyPreferences(): void {
  const theme = remembered(THEME) ?? "";
  document.documentElement.dataset.theme = THEMES.includes(theme) ? theme : "auto";
  const chosen = remembered(LANGUAGE);
  setLanguage(preferredLanguage(chosen ? [chosen] : navigator.languages));
  document.documentElement.lang = language();
}

/** Connect the two switches. Called when the page is loaded; `onTheme` is called after a change of colours. */
export function bindPreferences(onTheme: () => void): void {
  const button = byId("language");
  const show = () => {
    const other = OTHER[language()];
    document.documentElement.lang = language();
    button.textContent = other.name;
    button.lang = other.language;
  };
  onLanguage(show);
  show();
  onClick("language", () => {
    remember(LANGUAGE, OTHER[language()].language);
    setLanguage(OTHER[language()].language);
  });
  const themes = byId("theme", HTMLSelectElement);
  themes.value = document.documentElement.dataset.theme ?? "auto";
  themes.addEventListener("change", () => {
    document.documentElement.dataset.theme = themes.value;
    remember(THEME, themes.value);
    onTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onTheme);
}

function remembered(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // a browser may forbid it: then the page remembers nothing
  }
}

function remember(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // as above
  }
}
