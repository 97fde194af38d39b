import { readFileSync } from "node:fs";
import { analyse, expect, expectNoOverflow, labelsOf, test } from "./page.ts";
import { CALL, LONG, SILENCE, SPEECH } from "./sounds.ts";

test.beforeEach(async ({ page }) => {
  await page.goto("./");
});

test("a recording gives a verdict, a timeline that covers its speech, and probabilities", async ({ page }) => {
  const labels = await labelsOf(page);
  await analyse(page, SPEECH);
  const headline = (await page.locator("#headline").textContent()) ?? "";
  expect([...labels, "not sure"]).toContain(headline.toLowerCase());
  await expect(page.locator("#scores li")).toHaveCount(labels.length);
  const segments = page.locator("button.segment");
  expect(await segments.count()).toBeGreaterThanOrEqual(3); // three sentences with pauses between them
  for (const name of await segments.evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")))) {
    expect(name).toMatch(/^[\d.]+–[\d.]+ s: .+, \d+%$/);
  }
  const covered = await segments.evaluateAll((all) => all.reduce((sum, one) => sum + one.clientWidth, 0));
  const width = await page.locator("#track").evaluate((track) => track.clientWidth);
  expect(covered / width).toBeGreaterThan(0.4);
  await expect(page.locator("#track canvas")).toHaveAttribute("aria-label", /Timeline of \d+\.\d s with \d segments/);
  await expect(page.locator("#notice")).toBeHidden();
});

test("choosing a segment plays it and shows it in large letters", async ({ page }) => {
  await analyse(page, SPEECH);
  await expect(page.locator("#recording")).toHaveText("speech.wav");
  const whole = await page.locator("#scores").textContent();
  const segment = page.locator("button.segment").nth(1);
  await segment.click();
  await expect(page.locator("#play")).toHaveText("Pause");
  const [, span, label] =
    /^(.+ s): (?:not sure; perhaps )?(.+), \d+%$/.exec((await segment.getAttribute("aria-label")) ?? "") ?? [];
  await expect(page.locator("#source")).toHaveText(`Segment ${span}`);
  await expect(page.locator(".verdict")).toContainText(new RegExp(label ?? "", "i"));
  expect(await page.locator("#scores").textContent()).not.toBe(whole);
  await expect(page.locator("#play")).toHaveText("Play"); // it stops at the segment's end
  await page.getByRole("button", { name: "Back to the whole recording" }).click();
  await expect(page.locator("#scores")).toHaveText(whole ?? "");
  await expect(page.locator("#chosen")).toBeHidden();
});

test("a face and a transcript: a row for each modality, what each says, the lines; a transcript alone", async ({
  page,
}) => {
  await page.check("#face-file");
  await page.check("#words-file");
  const transcript = { name: "speech.srt", mimeType: "text/plain", buffer: Buffer.from("1") };
  await page.setInputFiles("#file", transcript);
  await expect(page.locator("#notice")).toContainText("speech.srt: to which recording does it belong?");
  await analyse(page, SPEECH);
  await expect(page.locator("#modalities")).toHaveText(/^voice: .+, \d+%; face: .+, \d+%$/);
  const height = await page.locator("#track").evaluate((track) => track.clientHeight);
  await page.setInputFiles("#file", transcript); // it belongs to the only recording
  await expect(page.locator("#lines-list li")).toHaveText(/A: speech.srt/);
  await expect(page.locator("#modalities")).toHaveText(/; words: .+, \d+%$/);
  expect(await page.locator("#track").evaluate((track) => track.clientHeight)).toBeGreaterThan(height);
  const last = page.locator("button.segment").last(); // without a face
  await last.click();
  await expect(page.locator("#modalities")).toBeHidden();
  await expect(page.locator("button.segment").first()).toHaveAttribute("aria-label", /\(voice: .+; face: .+; words: /);
  await page.uncheck("#face-file");
  await page.uncheck("#words-file");
  await expect(page.locator("#lines")).toBeVisible();
  await expect(page.locator("#modalities")).toBeHidden();
});

test("the main path: the example, several files, a wrong one, threshold, model, full view", async ({ page }) => {
  await page.getByRole("button", { name: "Try an example" }).click();
  await expect(page.locator("#recording")).toHaveText("demo.flac");
  await expect(page.locator("#exports")).toBeVisible();
  await expect(page.locator("#scores")).toHaveClass(/marked/); // the threshold of the model
  const [before, segments] = [await page.locator("#headline").textContent(), page.locator("button.segment")];
  await expect(segments.first().locator(".face")).toBeVisible();

  await page.setInputFiles("#file", { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no audio") });
  await expect(page.locator("#notice")).toContainText("notes.txt");
  await expect(page.locator("#recording")).toHaveText("demo.flac"); // the result before stays
  await expect(page.locator("#headline")).toHaveText(before ?? "");

  await page.setInputFiles("#file", [SPEECH, CALL]);
  const list = page.locator("#recordings-list button");
  await expect(list).toHaveCount(3); // what failed before has left
  await expect(page.locator("#recordings-list button.done")).toHaveCount(3);
  await list.filter({ hasText: "call.wav" }).click();
  await expect(page.locator("#recording")).toHaveText("call.wav");
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#save-json").click()]);
  const files = JSON.parse(readFileSync(await download.path()).toString()).results.map(
    (row: { file: string }) => row.file,
  );
  expect(files).toEqual(["demo.flac", "speech.wav", "call.wav"]);

  await page.locator("#settings summary").click();
  const threshold = page.getByLabel("Threshold");
  await threshold.fill("100");
  await expect(page.locator("#headline")).toHaveText("Not sure");
  await expect(page.locator("#threshold")).toContainText("100%");
  await page.getByRole("button", { name: "As the model has it" }).click();
  await expect(page.locator("#threshold")).not.toContainText("100%");
  const models = page.getByLabel("Model for files");
  const other = await models.locator("option").nth(1).getAttribute("value");
  await models.selectOption(other);
  await expect(page.locator("#model")).toContainText(other ?? "");
  await expect(page.locator("#recording")).toHaveText("call.wav");
  await expect(page.locator("#recordings-list button.done")).toHaveCount(3);

  const size = () => page.locator("#headline").evaluate((word) => Number.parseFloat(getComputedStyle(word).fontSize));
  const small = await size();
  await page.getByRole("button", { name: "Full view" }).click();
  await expect(page.locator("#timeline")).toBeHidden();
  expect(await size()).toBeGreaterThan(small);
  await page.keyboard.press("Escape");
  await expect(page.locator("#timeline")).toBeVisible();
  await page.getByRole("button", { name: "Clear the list" }).click();
  await expect(page.locator("#results")).toBeHidden();
});

test("saved files are those that predict writes", async ({ page }) => {
  const labels = await labelsOf(page);
  await analyse(page, SPEECH);
  const save = async (name: string) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    return { name: download.suggestedFilename(), data: readFileSync(await download.path()) };
  };
  const json = await save("JSON");
  const { model, results } = JSON.parse(json.data.toString());
  expect(json.name).toBe("speech.json");
  expect(model.name).toBeTruthy();
  expect(Object.keys(results[0])).toEqual(
    expect.arrayContaining(["file", "duration", "label", "confidence", "scores", "shares", "warnings", "segments"]),
  );
  const csv = (await save("CSV")).data.toString().trimEnd().split("\n");
  expect(csv[0]).toBe(`file,row,start,end,channel,label,confidence,${labels.join()},warnings,error`);
  expect(csv).toHaveLength(2 + results[0].segments.length);
  const png = await save("PNG");
  expect(png.data.subarray(1, 4).toString()).toBe("PNG");
  expect(png.data.length).toBeGreaterThan(10_000);
});

test("two channels have two lanes", async ({ page }) => {
  await page.getByLabel("One speaker per channel").check();
  await analyse(page, CALL);
  const tops = await page
    .locator("button.segment")
    .evaluateAll((all) => all.map((one) => (one as HTMLElement).style.top));
  expect(new Set(tops).size).toBe(2);
  await page.getByLabel("One speaker per channel").uncheck(); // analysed again, as one channel
  await expect
    .poll(() =>
      page.locator("button.segment").evaluateAll((all) => new Set(all.map((b) => (b as HTMLElement).style.top)).size),
    )
    .toBe(1);
});

test("a long recording can be waited for, zoomed and scrolled", async ({ page }) => {
  await analyse(page, LONG);
  await page.getByRole("button", { name: "Zoom in" }).click();
  await page.getByRole("button", { name: "Zoom in" }).click();
  const [scroll, client] = await page.locator("#scroller").evaluate((all) => [all.scrollWidth, all.clientWidth]);
  expect((scroll ?? 0) / (client ?? 1)).toBeCloseTo(4, 1);
  await page.getByRole("button", { name: "Whole" }).click();
  expect(await page.locator("#scroller").evaluate((all) => all.scrollWidth - all.clientWidth)).toBe(0);
  await expectNoOverflow(page);
});

test("sending can be cancelled", async ({ page }) => {
  await page.route("**/v1/emotions?*", () => undefined); // never answered
  await page.setInputFiles("#file", SPEECH);
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator("#progress")).toBeHidden();
  await expect(page.locator("#notice")).toBeHidden();
  await expect(page.locator("#results")).toBeHidden();
});

test("a job's progress is shown, and cancelling deletes the job", async ({ page }) => {
  const asked: string[] = [];
  const job = { id: "7", status: "queued", progress: 0 };
  await page.route("**/v1/emotions?*", (route) => route.fulfill({ status: 202, json: { job } }));
  await page.route("**/v1/jobs/7", (route) => {
    asked.push(route.request().method());
    return route.fulfill({ json: { job: { ...job, status: "running", progress: 0.4 } } });
  });
  await page.setInputFiles("#file", SPEECH);
  await expect(page.locator("#progress-bar")).toHaveAttribute("value", "0.4");
  await expect(page.locator("#progress-text")).toHaveText("Analysing speech.wav");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator("#progress")).toBeHidden();
  await expect.poll(() => asked.at(-1)).toBe("DELETE");
});

test("the error of a job that fails is shown in words", async ({ page }) => {
  const error = { code: "worker_lost", message: "got no answer" };
  const job = { id: "7", status: "failed", progress: 0.5 };
  await page.route("**/v1/emotions?*", (route) => route.fulfill({ status: 202, json: { job } }));
  await page.route("**/v1/jobs/7", (route) => route.fulfill({ json: { job, error } }));
  await page.setInputFiles("#file", SPEECH);
  await expect(page.locator("#notice")).toContainText("process that analysed this recording stopped");
});

test("silence gives no speech, and no emotion", async ({ page }) => {
  await analyse(page, SILENCE);
  await expect(page.locator("#headline")).toHaveText("No speech found");
  await expect(page.locator("button.segment")).toHaveCount(0);
  await expect(page.locator("#scores")).not.toContainText("%");
});

test("the error of a file that is not audio is shown in words, and the page still works", async ({ page }) => {
  await page.setInputFiles("#file", {
    name: "notes.wav",
    mimeType: "audio/wav",
    buffer: Buffer.from("no audio at all"),
  });
  await expect(page.locator("#notice")).toContainText("notes.wav: The file is not audio");
  await page.setInputFiles("#file", { name: "empty.wav", mimeType: "audio/wav", buffer: Buffer.alloc(0) });
  await expect(page.locator("#notice")).toContainText("empty");
  await analyse(page, SPEECH);
  await expect(page.locator("#notice")).toBeHidden();
});

test("a file that the browser cannot decode has a timeline without a waveform, and the page says so", async ({
  page,
}) => {
  await page.addInitScript(() => {
    OfflineAudioContext.prototype.decodeAudioData = () => Promise.reject(new DOMException("no", "EncodingError"));
  });
  await page.reload();
  await analyse(page, SPEECH);
  await expect(page.locator("#notice")).toContainText("cannot decode");
  await expect(page.locator("#play")).toBeHidden();
  expect(await page.locator("button.segment").count()).toBeGreaterThan(0);
});

test("a recording can be dropped or pasted", async ({ page }) => {
  const data = readFileSync(SPEECH).toString("base64");
  const transfer = await page.evaluateHandle((content) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], "dropped.wav", { type: "audio/wav" }));
    return files;
  }, data);
  await page.dispatchEvent("body", "dragenter", { dataTransfer: transfer });
  await expect(page.locator("#drop")).toBeVisible();
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  await expect(page.locator("#drop")).toBeHidden();
  await expect(page.locator("#exports")).toBeVisible();
  const answered = page.waitForResponse(/v1\/emotions/);
  await page.evaluate((clipboardData) => {
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  }, transfer);
  expect((await answered).ok()).toBe(true);
  await expect(page.locator("#recording")).toHaveText("dropped.wav");
});

test("if the service requires a key, the page asks for it, and again if it is wrong", async ({ page }) => {
  const seen: (string | undefined)[] = [];
  await page.route("**/v1/emotions?*", (route) => {
    const { authorization } = route.request().headers();
    seen.push(authorization);
    if (authorization === "Bearer right") return route.continue();
    const error = { code: "unauthorised", message: "got no valid key" };
    return route.fulfill({ status: 401, json: { error } });
  });
  await page.setInputFiles("#file", SPEECH);
  const dialog = page.locator("#key");
  await dialog.getByLabel("Key").fill("wrong");
  await page.keyboard.press("Enter");
  await expect(dialog.getByText("refused")).toBeVisible();
  await dialog.getByLabel("Key").fill("right");
  await dialog.getByRole("button", { name: "Continue" }).click();
  await expect(page.locator("#exports")).toBeVisible();
  expect(seen).toEqual([undefined, "Bearer wrong", "Bearer right"]);
  expect(
    await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])),
  ).not.toContain("right");
});

test("a recording adapts to its voice: what it learnt and what changed is shown, and kept in JSON", async ({
  page,
}) => {
  await analyse(page, SPEECH);
  await expect(page.locator("#adapted")).toBeHidden();
  const adapt = page.getByLabel("Adapt to the voice in the recording");
  await adapt.check();
  const summary =
    /^Adapted to this voice: \d+ segments, .+ s\. It changed (no label|the label of \d+ of \d+ segments)\.$/;
  await expect(page.locator("#adapted")).toHaveText(summary);
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#save-json").click()]);
  const { results } = JSON.parse(readFileSync(await download.path()).toString());
  expect(results[0].adapted.clips).toBe(results[0].segments.length);
  const changed = /without adaptation: \w+, \d+%/;
  const best = (scores: Record<string, number>) =>
    Object.keys(scores).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0))[0];
  const names = await page
    .locator("button.segment")
    .evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")));
  for (const [index, { scores, plain_scores }] of results[0].segments.entries()) {
    expect(changed.test(names[index] ?? "")).toBe(best(scores) !== best(plain_scores));
  }
  const other = names.findIndex((name) => changed.test(name ?? ""));
  if (other >= 0) {
    await page.locator("button.segment").nth(other).click();
    await expect(page.locator("#adapted")).toHaveText(changed);
  }
  await adapt.uncheck();
  await expect(page.locator("#adapted")).toBeHidden();
  await expectNoOverflow(page);
});
