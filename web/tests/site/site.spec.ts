// The documentation site: accessible in both languages, on a desktop and a phone, light and dark, and without requests
// to other machines; the language switch, the search and the sorting of tables work.

import { createRequire } from "node:module";
import { expect, type Page, test } from "@playwright/test";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PAGES = ["", "start.html", "results.html", "api-runtime-predictor.html", "gallery.html", "zh/", "zh/models.html"];
const SCREENS = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

type Violation = { id: string; nodes: { target: string[]; failureSummary?: string }[] };

async function violations(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: AXE });
  const found = await page.evaluate<Violation[]>(async () => {
    const { axe } = window as unknown as { axe: { run: () => Promise<{ violations: Violation[] }> } };
    return (await axe.run()).violations;
  });
  return found.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .slice(0, 3)
        .map((node) => node.target.join(" "))
        .join(", ")}`,
  );
}

for (const [screen, viewport] of Object.entries(SCREENS)) {
  for (const colorScheme of ["light", "dark"] as const) {
    test.describe(`${screen}, ${colorScheme}`, () => {
      test.use({ viewport, colorScheme });
      for (const path of PAGES) {
        test(`/${path} is accessible, fits, and asks no other machine`, async ({ page }) => {
          const outside: string[] = [];
          const errors: string[] = [];
          page.on("request", (request) => {
            if (!request.url().startsWith("http://127.0.0.1:") && !request.url().startsWith("data:"))
              outside.push(request.url());
          });
          page.on("pageerror", (error) => errors.push(error.message));
          await page.goto(path);
          expect(await violations(page)).toEqual([]);
          expect(
            await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth),
          ).toBeLessThanOrEqual(0);
          expect(outside).toEqual([]);
          expect(errors).toEqual([]);
        });
      }
    });
  }
}

test("the switch leads to the same page in the other language and back", async ({ page }) => {
  await page.goto("predict.html");
  await page.getByRole("link", { name: "中文" }).click();
  await expect(page).toHaveURL(/\/zh\/predict\.html$/);
  await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
  await page.getByRole("link", { name: "English" }).click();
  await expect(page).toHaveURL(/8767\/predict\.html$/);
});

for (const [path, words] of [
  ["search.html", "threshold"],
  ["zh/search.html", "期望校准误差"],
] as const) {
  test(`the search finds “${words}”`, async ({ page }) => {
    await page.goto(`${path}?q=${encodeURIComponent(words)}`);
    await expect(page.locator("#search-results li").first()).toBeVisible();
  });
}

test("a click on the head of a column sorts a table by numbers", async ({ page }) => {
  await page.goto("results.html");
  const table = page.locator("article table").first();
  const column = table.getByRole("columnheader", { name: "CASIA" });
  const numbers = async () => {
    const texts = await table.locator("tbody tr td:nth-child(6)").allTextContents();
    return texts.map(Number.parseFloat).filter((value) => !Number.isNaN(value));
  };
  await column.getByRole("button").click();
  await expect(column).toHaveAttribute("aria-sort", "descending");
  const descending = await numbers();
  expect(descending.length).toBeGreaterThan(5);
  expect(descending).toEqual([...descending].sort((a, b) => b - a));
  await column.getByRole("button").click();
  await expect(column).toHaveAttribute("aria-sort", "ascending");
  expect(await numbers()).toEqual(descending.reverse());
});
