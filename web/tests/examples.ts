// Pack the npm package, build the examples with it, and open each in Chromium: `npm run examples`. It needs the registry.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";

const WEB = fileURLToPath(new URL("../", import.meta.url));
const EXAMPLES = fileURLToPath(new URL("../../examples/browser/", import.meta.url));
const DEMO = fileURLToPath(new URL("../../examples/demo.flac", import.meta.url));
const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
/** Folder that is served, and policy, by example. */
const SITES = {
  html: { served: ".", policy: `${STRICT} 'unsafe-inline'` }, // its import map is in the page
  vite: { served: "dist", policy: STRICT },
  webpack: { served: "dist", policy: STRICT },
} as const;
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
};

async function serve(folder: string, policy: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://127.0.0.1").pathname;
    try {
      const data = readFileSync(join(folder, path === "/" ? "index.html" : path));
      const type = TYPES[extname(path) || ".html"] ?? "application/octet-stream";
      response.writeHead(200, { "Content-Type": type, "Content-Security-Policy": policy }).end(data);
    } catch {
      response.writeHead(path === "/favicon.ico" ? 204 : 404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function check(url: string): Promise<string> {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
  });
  try {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    page.on("request", (request) => request.url().startsWith(url) || problems.push(`request to ${request.url()}`));
    await page.goto(url);
    await page.getByText("mobile is ready").waitFor({ timeout: 30_000 });
    await page.setInputFiles("#file", DEMO);
    await page.getByText("overall:").waitFor({ timeout: 30_000 });
    const answer = (await page.locator("#out").textContent()) ?? "";
    await page.click("#listen"); // the worklet is found
    await page.getByText("Stop").click();
    await page.getByText("Use the microphone").waitFor();
    assert.deepEqual(problems, []);
    return answer;
  } finally {
    await browser.close();
  }
}

const work = mkdtempSync(join(tmpdir(), "emovox-examples-"));
const run = (folder: string, ...command: readonly string[]) =>
  execFileSync(command[0] ?? "", command.slice(1), { cwd: folder, stdio: ["ignore", "pipe", "inherit"] }).toString();
try {
  const packed = run(join(WEB, "packages/emovox"), "npm", "pack", "--silent", "--pack-destination", work).trim();
  const archive = join(work, packed.split("\n").at(-1) ?? "");
  const answers: string[] = [];
  for (const [name, { served, policy }] of Object.entries(SITES)) {
    const folder = join(work, name);
    cpSync(join(EXAMPLES, name), folder, { recursive: true });
    run(folder, "npm", "install", "--silent", "--no-audit", "--no-fund", archive);
    if (served !== ".") run(folder, "npm", "run", "--silent", "build");
    const server = await serve(join(folder, served), policy);
    const { port } = server.address() as AddressInfo;
    answers.push(await check(`http://127.0.0.1:${port}/`));
    server.close();
    process.stdout.write(`${name}: ${answers.at(-1)?.split("\n")[0]}\n`);
  }
  assert.equal(new Set(answers).size, 1);
} finally {
  rmSync(work, { recursive: true, force: true });
}
