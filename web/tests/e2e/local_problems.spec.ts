// What the page that recognises in the browser alone says when something is missing.
import { expect, test } from "@playwright/test";

const open = "local/";

test("a browser without vectors", async ({ page, context }) => {
  await context.route("**/worker.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `WebAssembly.validate = () => false;${await response.text()}` });
  });
  await page.goto(open);
  await expect(page.locator("#notice")).toContainText("Update it: Chrome and Edge 91");
});

test("a model that cannot be fetched, and the next attempt", async ({ page, context }) => {
  await context.route("**/emovox.wasm", (route) => route.abort());
  await page.goto(open);
  await expect(page.locator("#notice")).toContainText("The model cannot be fetched. Check the network");
  await context.unroute("**/emovox.wasm");
  await page.click("#listen");
  await expect(page.locator("#consent")).toBeVisible();
});

test("a model that is damaged", async ({ page, context }) => {
  await context.route("**/emovox.wasm", (route) => route.fulfill({ body: "<html>", contentType: "application/wasm" }));
  await page.goto(open);
  await expect(page.locator("#notice")).toContainText("damaged");
});

test("a model of another version", async ({ page, context }) => {
  const text = '{"format":99}';
  const other = Buffer.from([0, 97, 115, 109, 1, 0, 0, 0, 0, 7 + text.length, 6, ...Buffer.from(`emovox${text}`)]);
  await context.route("**/emovox.wasm", (route) => route.fulfill({ body: other, contentType: "application/wasm" }));
  await page.goto(open);
  await expect(page.locator("#notice")).toContainText("of another version than this page");
});

test("a script of the Worker that is missing", async ({ page, context }) => {
  await context.route("**/worker.js", (route) => route.fulfill({ status: 404 }));
  await page.goto(open);
  await expect(page.locator("#notice")).toContainText("A part of the page cannot be fetched");
});

test("a browser that keeps no pages", async ({ page }) => {
  await page.addInitScript(() => {
    navigator.serviceWorker.register = () => Promise.reject(new DOMException("private", "SecurityError"));
  });
  await page.goto(open);
  await expect(page.locator("#offline")).toContainText("as in a private window");
});

test("a cache that is full", async ({ page, context }) => {
  await context.route("**/service-worker.js", async (route) => {
    const response = await route.fetch();
    const full = 'Cache.prototype.addAll = () => Promise.reject(new DOMException("full", "QuotaExceededError"));';
    await route.fulfill({ response, body: full + (await response.text()) });
  });
  await page.goto(open);
  await expect(page.locator("#offline")).toContainText("storage is full");
});

test("no microphone", async ({ page }) => {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("none", "NotFoundError"));
  });
  await page.goto(open);
  await page.click("#listen");
  await page.getByRole("button", { name: "Start the microphone" }).click();
  await expect(page.locator("#notice")).toContainText("No microphone was found");
});

test("a file that the browser cannot decode", async ({ page }) => {
  await page.goto(open);
  await page.setInputFiles("#file", { name: "a.wav", mimeType: "audio/wav", buffer: Buffer.from("no sound") });
  await expect(page.locator("#notice")).toContainText("a.wav: This browser cannot decode the file");
});
