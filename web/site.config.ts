// Tests of the documentation site that `make docs` has built: `make docs-browser`.
import { defineConfig } from "@playwright/test";

const PORT = 8767;

export default defineConfig({
  testDir: "tests/site",
  workers: 1,
  timeout: 60_000,
  reporter: "list",
  use: {
    baseURL: `http://127.0.0.1:${PORT}/`,
    launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] },
  },
  webServer: {
    command: `python3 -m http.server --bind 127.0.0.1 --directory ../build/site ${PORT}`,
    url: `http://127.0.0.1:${PORT}/`,
    stderr: "ignore", // a line for each request
  },
});
