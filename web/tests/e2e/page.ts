// Shared by all browser tests: a page that fails at requests to other services and at messages in the console.

import { test as base, expect, type Page } from "@playwright/test";

export { expect, type Page } from "@playwright/test";

export const test = base.extend<{ guarded: undefined }>({
  guarded: [
    async ({ page, baseURL }, use) => {
      const problems: string[] = [];
      const origins = [new URL(baseURL ?? "").origin, "http://lan.test"];
      page.on("request", (request) => {
        const url = request.url();
        const own = origins.some((origin) => url.startsWith(origin) || url.startsWith(origin.replace("http", "ws")));
        if (!own && !url.startsWith("blob:")) problems.push(`request to ${url}`);
      });
      page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
      page.on("console", (message) => {
        // Messages of the browser: a 4xx status, which the page shows, and a header that it ignores over plain HTTP.
        const refused =
          /Failed to load resource/.test(message.text()) && /v1\/(emotions|jobs)/.test(message.location().url);
        const expected = refused || /^The Cross-Origin-Opener-Policy header has been ignored/.test(message.text());
        const wrong = ["error", "warning"].includes(message.type()) || message.text().startsWith("[DOM]"); // its advice
        if (wrong && !expected) problems.push(`console: ${message.text()}`);
      });
      await use(undefined);
      expect(problems).toEqual([]);
    },
    { auto: true },
  ],
});

/** Choose a file and wait for its result. */
export async function analyse(page: Page, path: string): Promise<void> {
  await page.setInputFiles("#file", path);
  await expect(page.locator("#exports")).toBeVisible({ timeout: 45_000 });
}

/** Start the microphone, with consent. */
export async function listen(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Use the microphone" }).click();
  await page.getByRole("button", { name: "Start the microphone" }).click();
  await expect(page.locator("body")).toHaveAttribute("data-live", "running");
}

/** The labels of the service's default model. */
export async function labelsOf(page: Page): Promise<readonly string[]> {
  const { models } = await (await page.request.get("v1/models")).json();
  const model = models.find((card: { default: boolean }) => card.default) ?? models[0];
  return model.labels;
}

/** Check that nothing is wider than the window. */
export async function expectNoOverflow(page: Page): Promise<void> {
  const [content, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(content).toBeLessThanOrEqual(width ?? 0);
}
