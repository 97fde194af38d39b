// Do with a model to choose, in the page of `make web`, what a user does, and print as JSON what comes of it:
// node tests/host.mjs URL MODEL FILE ok|fails. Before the choice, it asks the host for `chosen`.
import { readFile } from "node:fs/promises";
import { chromium } from "@playwright/test";

const [url, model, file, expected] = process.argv.slice(2);
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const problems = [];

async function opened(page) {
  const option = `#model-choice option[value="${model}"]`;
  await page.waitForSelector(option, { state: "attached" });
  await fetch(`${url}chosen`);
  await page.selectOption("#model-choice", model, { force: true });
  return await page.textContent(option);
}

async function analysed(page, adapt) {
  await page.setChecked("#adapt-file", adapt, { force: true });
  await page.setInputFiles("#file", file);
  await page.waitForSelector("#exports", { state: "visible" });
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
  return JSON.parse(await readFile(await download.path(), "utf8"));
}

async function succeeded(page) {
  const plain = await analysed(page, false);
  await page.context().setOffline(true);
  await page.reload();
  await opened(page);
  const offline = await analysed(page, false);
  await page.reload();
  await opened(page);
  return { plain, offline, adapted: await analysed(page, true) };
}

async function failed(page) {
  await page.setInputFiles("#file", file);
  await page.waitForSelector("#notice:not(:empty)");
  return { notice: await page.textContent("#notice") };
}

try {
  const page = await browser.newPage({ locale: "en-GB" });
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector("#offline")?.textContent?.includes("without a network"));
  const option = await opened(page);
  const found = await (expected === "fails" ? failed(page) : succeeded(page));
  process.stdout.write(JSON.stringify({ option, problems, ...found }));
} finally {
  await browser.close();
}
