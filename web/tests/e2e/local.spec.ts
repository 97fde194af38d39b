// The page that recognises in the browser alone, under a strict policy, with a fake microphone, and without a network.
import { readFileSync } from "node:fs";
import type { Row } from "../../src/recogniser/protocol.ts";
import { analyse, expect, expectNoOverflow, listen, test } from "./page.ts";
import { CALL, SPEECH } from "./sounds.ts";

test.beforeEach(async ({ page }) => {
  await page.goto("local/");
  await expect(page.locator("#settings-now")).not.toBeEmpty();
});

test("a recording is analysed without a request", async ({ page }) => {
  const requests: string[] = [];
  await expect(page.locator("#offline")).toContainText("works without a network");
  page.on("request", (request) => requests.push(request.url()));
  await analyse(page, SPEECH);
  await expect(page.locator("#headline")).not.toBeEmpty();
  await expect(page.locator(".segment").first()).toBeVisible();
  expect(requests.filter((url) => !url.startsWith("blob:"))).toEqual([]);
});

test("the saved result has the form of emovox predict", async ({ page }) => {
  await analyse(page, SPEECH);
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
  const document = JSON.parse(readFileSync(await download.path(), "utf8")) as {
    model: { name: string };
    results: readonly Row[];
  };
  expect(document.model.name).toBe("mobile");
  expect(document.results[0]?.segments.length).toBeGreaterThan(0);
  expect(Object.keys(document.results[0]?.scores ?? {})).toHaveLength(7);
});

test("each channel of a call has its own segments", async ({ page }) => {
  await page.check("#split");
  await analyse(page, CALL);
  const tops = await page
    .locator("button.segment")
    .evaluateAll((all) => all.map((one) => (one as HTMLElement).style.top));
  expect(new Set(tops).size).toBe(2);
});

test("adaptation says what it has learnt", async ({ page }) => {
  await page.check("#adapt-file");
  await analyse(page, SPEECH);
  await expect(page.locator("#adapted")).toContainText("Adapted to this voice");
});

test("the microphone is heard at the device's own rate, and its result stays", async ({ page }) => {
  await listen(page);
  await expect(page.locator(".segment").first()).toBeVisible({ timeout: 30_000 });
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.locator("#exports")).toBeVisible();
});

test("it says where the sound goes: nowhere", async ({ page }) => {
  await page.getByRole("button", { name: "Use the microphone" }).click();
  await expect(page.locator("#consent-text")).toContainText("Nowhere: this browser analyses it");
});

test("it opens and recognises without a network", async ({ page, context }) => {
  await expect(page.locator("#offline")).toContainText("works without a network");
  await context.setOffline(true);
  await page.reload();
  await expect(page.locator("#settings-now")).not.toBeEmpty();
  await analyse(page, SPEECH);
  await expect(page.locator("#headline")).not.toBeEmpty();
});

test("it works in Chinese, at the width of a phone, and by keyboard", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.getByRole("button", { name: "中文" }).click();
  await expect(page.locator("#lead")).toContainText("声音不会离开本设备");
  await analyse(page, SPEECH);
  await expectNoOverflow(page);
  const panel = await page.locator("#sources .source").first().boundingBox();
  expect(panel?.width).toBeGreaterThan(300); // nothing beside the panel of files makes it narrow
  await page.locator('.segment[tabindex="0"]').focus();
  await page.keyboard.press("Enter");
  await expect(page.locator("#chosen")).toBeVisible();
});
