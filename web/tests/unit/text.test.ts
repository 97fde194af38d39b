import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { EN as LOCAL_EN, ZH as LOCAL_ZH } from "../../src/local/texts.ts";
import { cardText, riskLines } from "../../src/text/cards.ts";
import { clock, moment, percent, span } from "../../src/text/format.ts";
import { filled, labelName, maybe, preferredLanguage, setLanguage, TEXTS, t } from "../../src/text/i18n.ts";

const SOURCES = new URL("../../src/", import.meta.url).pathname;

afterEach(() => setLanguage("en"));

test("both languages have the same keys and places to fill in, and no empty text", () => {
  const { en, "zh-CN": zh } = TEXTS;
  assert.deepEqual(Object.keys(zh), Object.keys(en));
  const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
  for (const [key, text] of Object.entries(en)) {
    const other = zh[key as keyof typeof en];
    assert.deepEqual(places(other), places(text), key);
    assert.ok(text.trim() && other.trim(), key);
  }
});

test("Chinese texts are Chinese", () => {
  const latin = Object.entries(TEXTS["zh-CN"]).filter(([, text]) => !/[一-鿿]/.test(text));
  assert.deepEqual(
    latin.map(([key]) => key),
    ["file.failed", "modality.says", "timeline.segment", "export.json", "export.csv", "about.figure_plain"],
  );
});

test("every key of the page and the sources exists, and every text is used", () => {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter((name) => /\.(ts|html)$/.test(name));
  const text = files
    .filter((name) => !/text.(en|zh)\.ts$/.test(name))
    .map((name) => readFileSync(join(SOURCES, name), "utf8"));
  const source = text.join("\n");
  const marked = [...source.matchAll(/data-(?:text|label|title)="([^"]+)"/g)].map((match) => match[1] ?? "");
  assert.ok(marked.length > 40);
  assert.deepEqual(
    marked.filter((key) => maybe(key) === null),
    [],
  );
  const byCode = /^(error|warning|label|modality|file\.(upload|queue|analyse)$)/; // looked up by what the service says
  const unused = Object.keys(TEXTS.en).filter((key) => !byCode.test(key) && !source.includes(`"${key}"`));
  assert.deepEqual(unused, []);
});

test("all ticks of an axis have one form, that of its longest time", () => {
  const axis = (times: readonly number[], longest: number, digits = 0) =>
    times.map((time) => moment(time, { longest, digits }));
  assert.deepEqual(axis([0, 5, 100], 119), ["0 s", "5 s", "100 s"]);
  assert.deepEqual(axis([0, 0.5, 1], 14, 1), ["0.0 s", "0.5 s", "1.0 s"]);
  assert.deepEqual(axis([0, 60, 100, 120], 130), ["0:00", "1:00", "1:40", "2:00"]);
  assert.deepEqual(axis([119.96, 120.5], 130, 1), ["2:00.0", "2:00.5"]);
  assert.deepEqual(axis([0, 3600], 3700), ["0:00:00", "1:00:00"]);
});

test("descriptions, licences and risks of the shipped models are Chinese in the Chinese page", () => {
  const folder = new URL("../../../src/emovox/pretrained/", import.meta.url).pathname;
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  assert.ok(names.length > 0);
  for (const name of names) {
    const card = JSON.parse(readFileSync(join(folder, name), "utf8"));
    const texts = () => [cardText(card.description), cardText(card.licence), ...riskLines(card.licence_risk)];
    assert.equal(riskLines(card.licence_risk).join("; "), card.licence_risk);
    setLanguage("zh-CN");
    for (const text of texts()) assert.match(text, /[一-鿿]/, `${name}: no translation in src/text/cards.ts: ${text}`);
    setLanguage("en");
  }
});

test("the user's languages decide, with English as the default", () => {
  assert.equal(preferredLanguage(["zh-TW", "en"]), "zh-CN");
  assert.equal(preferredLanguage(["de-DE", "zh-CN", "en"]), "zh-CN");
  assert.equal(preferredLanguage(["fr"]), "en");
  assert.equal(preferredLanguage([]), "en");
});

test("labels are translated, a user's own are shown as they are", () => {
  setLanguage("zh-CN");
  assert.equal(labelName("happy"), "高兴");
  assert.equal(labelName("wake_up"), "wake_up");
  assert.equal(labelName("constructor"), "constructor");
  assert.equal(t("result.model", { model: "svm 1" }), "模型 svm 1");
});

test("a value that is not given stays visible as its placeholder", () => {
  assert.equal(filled("{a} and {b}", { a: 1 }), "1 and {b}");
});

test("times are seconds, then minutes, then hours", () => {
  assert.equal(clock(4.14), "4.1 s");
  assert.equal(clock(125.2), "2:05");
  assert.equal(clock(3725), "1:02:05");
  assert.equal(span(0.7, 4.14), "0.7–4.1 s");
  assert.equal(span(118, 125), "1:58–2:05"); // both in one form

  assert.equal(percent(0.774), "77%");
});

test("the page without a server has the same texts of its own in both languages", () => {
  assert.deepEqual(Object.keys(LOCAL_ZH), Object.keys(LOCAL_EN));
  for (const [key, text] of Object.entries(LOCAL_ZH))
    assert.ok(key === "error.other" || /\p{Script=Han}/u.test(text), key);
});
