// Make the pictures of the page in docs/pictures, from a running service and the bundled recording:
//   EMOVOX_URL=http://127.0.0.1:8000/ RECORDING=/tmp/demo.wav npm run pictures
// The recording is 16-bit WAV, which Chromium's fake microphone needs. Reduce the pictures to 256 colours afterwards.

import { fileURLToPath } from "node:url";
import { type BrowserContextOptions, chromium, type Page } from "@playwright/test";

const FOLDER = fileURLToPath(new URL("../../docs/pictures/", import.meta.url));
const { EMOVOX_URL, RECORDING, CHROMIUM = "/usr/bin/chromium" } = process.env;
if (!EMOVOX_URL || !RECORDING) throw new Error("got no EMOVOX_URL or RECORDING, expected both");
const recording = RECORDING;
const url = EMOVOX_URL;

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-audio-capture=${RECORDING}`,
  ],
});

async function picture(name: string, look: BrowserContextOptions, act: (page: Page) => Promise<void>): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1100, height: 880 }, locale: "en-GB", ...look });
  const page = await context.newPage();
  await page.goto(url);
  await act(page);
  await page.screenshot({ path: `${FOLDER}${name}.png` });
  await context.close();
}

async function analyse(page: Page): Promise<void> {
  await page.setInputFiles("#file", recording);
  await page.waitForSelector("#exports:visible");
  await page.waitForTimeout(500);
}

/** Listen until a label has been seen after some seconds. */
async function listen(page: Page, seconds: number): Promise<void> {
  await page.click("#listen");
  await page.click("#consent [data-action=accept]");
  await page.waitForTimeout(1000 * seconds);
  await page.waitForSelector("#stage[data-face=label]");
}

await picture("page-desktop", {}, analyse);
await picture("page-dark", { colorScheme: "dark" }, (page) => listen(page, 7.6));
await picture("page-chinese", { locale: "zh-CN" }, async (page) => {
  await analyse(page);
  await page.locator("button.segment").nth(1).click();
  await page.waitForTimeout(900);
});
await picture("page-phone", { viewport: { width: 390, height: 844 } }, (page) => listen(page, 6.5));
await browser.close();
