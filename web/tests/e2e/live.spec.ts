import { readFileSync } from "node:fs";
import { type FakeProcess, startFake } from "../fake_process.ts";
import { expect, expectNoOverflow, labelsOf, listen, test } from "./page.ts";
import { SPEECH } from "./sounds.ts";

/** A test with a separate fake service, which it may end. */
const shutDown = test.extend<{ fake: FakeProcess }>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright wants to see a pattern
  fake: async ({}, use) => {
    const fake = await startFake();
    await use(fake);
    await fake.stop();
  },
  baseURL: ({ fake }, use) => use(fake.url),
});

test("before the microphone starts, the page says what it infers; without consent nothing is opened", async ({
  page,
}) => {
  await page.addInitScript(() => {
    const media = navigator.mediaDevices;
    const original = media?.getUserMedia.bind(media);
    Object.assign(globalThis, { opened: 0 });
    if (original) {
      media.getUserMedia = (constraints) => {
        (globalThis as unknown as { opened: number }).opened += 1;
        return original(constraints);
      };
    }
  });
  await page.goto("./");
  const labels = await labelsOf(page);
  await page.getByRole("button", { name: "Use the microphone" }).click();
  const dialog = page.getByRole("dialog", { name: "Before the microphone starts" });
  for (const label of labels) await expect(dialog).toContainText(label);
  for (const text of ["stores nothing", "often wrong", "prohibited", "Licence", new URL(page.url()).host]) {
    await expect(dialog).toContainText(text);
  }
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  expect(await page.evaluate(() => (globalThis as unknown as { opened: number }).opened)).toBe(0);
  await expect(page.locator("#live")).toBeHidden();
});

test("speech is detected, labelled and summarised; the result stays after the microphone is off", async ({ page }) => {
  await page.goto("./");
  const labels = await labelsOf(page);
  await listen(page);
  const named = new RegExp(`^(${labels.join("|")}|not sure)$`, "i");
  await expect(page.locator("#headline")).toHaveText(named, { timeout: 20_000 });
  await expect(page.locator("#latency")).toHaveText(/^\d+\.\d\d s$/);
  expect(Number.parseFloat((await page.locator("#latency").textContent()) ?? "")).toBeLessThan(3);
  await expect(page.locator("button.segment").first()).toBeVisible({ timeout: 20_000 });
  await expect(page.locator("#headline")).toHaveText("No speech", { timeout: 20_000 });
  await expect(page.locator("#detail")).toContainText("Last:");
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.locator("#exports")).toBeVisible();
  await expect(page.locator("#live")).toBeHidden();
  await expect(page.locator("#headline")).toHaveText(named);
  await expect(page.locator("#source")).toContainText("of speech");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "JSON" }).click(),
  ]);
  const { results } = JSON.parse(readFileSync(await download.path()).toString());
  expect(results[0].file).toMatch(/^microphone-\d{8}-\d{6}$/);
  expect(results[0].segments.length).toBeGreaterThan(0);
  expect(results[0].segments[0].start).toBeGreaterThan(0.2);
  expect(results[0].duration).toBeGreaterThan(results[0].segments.at(-1).end - 0.2);
  await expectNoOverflow(page);
});

test("a lost connection closes the microphone, keeps the result, and can be reopened", async ({ page }) => {
  let drop: () => void = () => undefined;
  await page.routeWebSocket(/v1\/stream$/, (socket) => {
    const server = socket.connectToServer();
    drop = () => {
      void socket.close({ code: 1011 });
      void server.close();
    };
  });
  await page.goto("./");
  await listen(page);
  await expect(page.locator("button.segment").first()).toBeVisible({ timeout: 25_000 });
  drop();
  await expect(page.locator("#live-state")).toHaveText("Connection lost");
  await expect(page.locator("#live-hint")).toContainText("The microphone is off");
  await expect(page.locator("#notice")).toBeVisible();
  await expect(page.locator("#exports")).toBeVisible();
  const before = await page.locator("button.segment").count();
  await page.getByRole("button", { name: "Connect again" }).click();
  await expect(page.locator("#live-state")).toHaveText(/Listening|Speaking/);
  await expect(page.locator("#notice")).toBeHidden();
  await expect.poll(() => page.locator("button.segment").count(), { timeout: 25_000 }).toBeGreaterThan(before);
});

shutDown(
  "a service that is shut down ends the session: the microphone is closed, what was heard is kept",
  async ({ page, fake }) => {
    await page.addInitScript(() => {
      const media = navigator.mediaDevices;
      const original = media.getUserMedia.bind(media);
      const tracks: MediaStreamTrack[] = [];
      Object.assign(globalThis, { tracks });
      media.getUserMedia = async (constraints) => {
        const stream = await original(constraints);
        tracks.push(...stream.getTracks());
        return stream;
      };
    });
    await page.goto("./");
    const labels = await labelsOf(page);
    await listen(page);
    await expect(page.locator("#live-state")).toHaveText("Speaking");
    await expect(page.locator("#headline")).toHaveText(new RegExp(`^(${labels.join("|")}|not sure)$`, "i"));
    await expect(page.locator("button.segment")).toHaveCount(0); // so the open utterance gets the only verdict
    await fake.stop();
    await expect(page.locator("#live-state")).toHaveText("Connection lost");
    await expect(page.locator("#live-hint")).toContainText("The microphone is off");
    await expect(page.locator("#notice")).toHaveText("The service is being shut down.");
    const states = () =>
      page.evaluate(() =>
        (globalThis as unknown as { tracks: MediaStreamTrack[] }).tracks.map((track) => track.readyState),
      );
    expect(new Set(await states())).toEqual(new Set(["ended"]));
    await expect(page.locator("#level")).toHaveCSS("transform", "matrix(0, 0, 0, 1, 0, 0)");
    const elapsed = await page.locator("#elapsed").textContent();
    await page.waitForTimeout(1500);
    await expect(page.locator("#elapsed")).toHaveText(elapsed ?? "");
    await expect(page.locator("button.segment")).not.toHaveCount(0);
    await page.locator("#reconnect").click();
    await expect(page.locator("#notice")).toHaveText("The service cannot be reached. Is it still running?");
    expect(new Set(await states())).toEqual(new Set(["ended"]));
    await expect(page.locator("#source")).toContainText("of speech");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "JSON" }).click(),
    ]);
    const { results } = JSON.parse(readFileSync(await download.path()).toString());
    expect(results[0].segments.length).toBeGreaterThan(0);
  },
);

test("the error of a service that ends is shown in words", async ({ page }) => {
  await page.routeWebSocket(/v1\/stream$/, (socket) => {
    socket.onMessage(() => {
      socket.send(JSON.stringify({ type: "error", code: "busy", message: "got too many sessions" }));
      void socket.close({ code: 4429 });
    });
  });
  await page.goto("./");
  await page.getByRole("button", { name: "Use the microphone" }).click();
  await page.getByRole("button", { name: "Start the microphone" }).click();
  await expect(page.locator("#notice")).toContainText("busy");
  await expect(page.locator("#live")).toBeHidden();
  await expect(page.getByRole("button", { name: "Use the microphone" })).toBeVisible();
});

test("if the service requires a key for the microphone, the page asks for it", async ({ page }) => {
  await page.routeWebSocket(/v1\/stream$/, (socket) => {
    let server: ReturnType<typeof socket.connectToServer> | null = null;
    socket.onMessage((message) => {
      if (!server && !(typeof message === "string" && message.includes('"key":"right"'))) {
        socket.send(JSON.stringify({ type: "error", code: "unauthorised", message: "got no valid key" }));
        void socket.close({ code: 4401 });
        return;
      }
      server ??= socket.connectToServer();
      server.send(message);
    });
  });
  await page.goto("./");
  await page.getByRole("button", { name: "Use the microphone" }).click();
  await page.getByRole("button", { name: "Start the microphone" }).click();
  await page.locator("#key").getByLabel("Key").fill("right");
  await page.keyboard.press("Enter");
  await expect(page.locator("#elapsed")).toHaveText(/^[1-9] s$/);
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.locator("#exports")).toBeVisible();
});

test("a refused microphone has its own message", async ({ page }) => {
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await page.goto("./");
  await page.getByRole("button", { name: "Use the microphone" }).click();
  await page.getByRole("button", { name: "Start the microphone" }).click();
  await expect(page.locator("#notice")).toContainText("not allowed");
});

test("the session pauses while the browser stops the page's audio, and continues", async ({ page }) => {
  await page.addInitScript(() => {
    const contexts: AudioContext[] = [];
    Object.assign(globalThis, { contexts });
    globalThis.AudioContext = class extends AudioContext {
      constructor(options?: AudioContextOptions) {
        super(options);
        contexts.push(this);
      }
    };
  });
  await page.goto("./");
  await listen(page);
  await page.evaluate(() => (globalThis as unknown as { contexts: AudioContext[] }).contexts[0]?.suspend());
  await expect(page.locator("#live-state")).toHaveText("Paused");
  const elapsed = await page.locator("#elapsed").textContent();
  await page.waitForTimeout(1200);
  await expect(page.locator("#elapsed")).toHaveText(elapsed ?? "");
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.locator("#live-state")).toHaveText(/Listening|Speaking/);
});

test("the microphone can be changed while it runs; a file does not end the session", async ({ page }) => {
  await page.goto("./");
  await listen(page);
  const devices = page.getByRole("combobox", { name: "Microphone" });
  await devices.selectOption({ index: (await devices.locator("option").count()) - 1 });
  await expect(page.locator("#elapsed")).toHaveText(/^[3-9] s$/, { timeout: 20_000 });
  await page.setInputFiles("#file", SPEECH);
  await expect(page.locator("#notice")).toContainText("Stop the microphone first");
  await expect(page.locator("#live-state")).toHaveText(/Listening|Speaking/);
});

test("leaving the page closes microphone and connection", async ({ page }) => {
  await page.goto("./");
  const closed = page.waitForEvent("websocket").then((socket) => socket.waitForEvent("close"));
  await listen(page);
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent("pagehide")));
  await closed;
  await expect(page.locator("#live")).toBeHidden();
});

test("over plain HTTP from another machine, the page says why there is no microphone, and what to do", async ({
  page,
  baseURL,
}) => {
  const { port } = new URL(baseURL ?? "");
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`http://lan.test:${port}/`);
  await expect(page.getByText("The browser refuses the microphone here")).toBeVisible();
  const named = port === "8000" ? "" : ` --port ${port}`;
  const command = `emovox serve --host 0.0.0.0${named} --ssl-cert cert.pem --ssl-key key.pem`;
  await expect(page.locator("#insecure-command")).toHaveText(command);
  await expect(page.locator("#insecure")).toContainText("needs keys");
  await expect(page.locator("#tunnel")).toHaveText(`ssh -N -L ${port}:127.0.0.1:${port} lan.test`);
  await expect(page.getByRole("button", { name: "Use the microphone" })).toBeHidden();
  await expect(page.getByRole("button", { name: "Choose files" })).toBeVisible();
  await expectNoOverflow(page);
});

test("the microphone adapts to the voice: it says what it has learnt, with a warm-up, and forgets it", async ({
  page,
}) => {
  await page.goto("./");
  await page.getByLabel("Adapt to this voice while it speaks").check();
  await expect(page.locator("#adapt-live-hint")).toContainText("first 5 segments are a warm-up");
  await listen(page);
  await expect(page.locator("#adapted")).toHaveText("Adapted to nothing yet. Warm-up: 0 of 5.");
  await expect(page.locator("#adapted")).toHaveText(/^Adapted to this voice: [1-9].* Warm-up: [1-4] of 5\.$/, {
    timeout: 25_000,
  });
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.locator("#exports")).toBeVisible();
  await expect(page.locator("#adapted")).toHaveText(/^Adapted to this voice: .* label/);
  await page.getByLabel("Adapt to this voice while it speaks").uncheck();
  await listen(page);
  await expect(page.locator("#adapted")).toBeHidden();
  await page.getByRole("button", { name: "Stop" }).click();
});

test("where the model cannot adapt, the switches say so", async ({ page }) => {
  await page.route(/v1\/models$/, async (route) => {
    const body = await (await route.fetch()).json();
    await route.fulfill({ json: { models: body.models.map((card: object) => ({ ...card, adaptable: false })) } });
  });
  await page.goto("./");
  for (const name of ["Adapt to the voice in the recording", "Adapt to this voice while it speaks"]) {
    await expect(page.getByLabel(name)).toBeDisabled();
  }
  await expect(page.locator("#adapt-live-hint")).toContainText("cannot adapt to a voice");
});
