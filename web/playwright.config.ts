import { defineConfig } from "@playwright/test";
import { MICROPHONE } from "./tests/e2e/sounds.ts";

const PORT = 8765;
const service = process.env.EMOVOX_URL; // a running `emovox serve`; without it, the fake

export default defineConfig({
  testDir: "tests/e2e",
  globalSetup: "./tests/e2e/sounds.ts",
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: "list",
  use: {
    baseURL: service ?? `http://127.0.0.1:${PORT}`,
    locale: "en-GB",
    viewport: { width: 1200, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        `--use-file-for-fake-audio-capture=${MICROPHONE}`,
        "--host-resolver-rules=MAP lan.test 127.0.0.1",
        "--autoplay-policy=no-user-gesture-required",
      ],
    },
  },
  ...(service
    ? {}
    : {
        webServer: { command: `PORT=${PORT} npx tsx tests/fake_service.ts`, url: `http://127.0.0.1:${PORT}/v1/models` },
      }),
});
