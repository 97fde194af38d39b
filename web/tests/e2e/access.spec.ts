// Accessibility: keyboard alone, narrow screens, dark colours, Chinese, screen readers.

import { analyse, expect, expectNoOverflow, listen, type Page, test } from "./page.ts";
import { SPEECH } from "./sounds.ts";

const focused = (page: Page) =>
  page.evaluate(
    () => document.activeElement?.id || document.activeElement?.className || document.activeElement?.tagName,
  );

async function tabTo(page: Page, id: string): Promise<void> {
  for (let presses = 0; presses < 30; presses += 1) {
    await page.keyboard.press("Tab");
    if ((await focused(page)) === id) return;
  }
  throw new Error(`got no way to ${id} by Tab`);
}

test("the keyboard chooses a file, goes through its segments, plays and saves", async ({ page }) => {
  await page.goto("./");
  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("skip");
  await tabTo(page, "choose");
  const chosen = page.waitForEvent("filechooser");
  await page.waitForTimeout(200); // the browser needs time to learn that a test chooses the file
  await page.keyboard.press("Enter");
  const chooser = await chosen;
  await chooser.setFiles(SPEECH);
  await expect(page.locator("#exports")).toBeVisible();
  await tabTo(page, "segment");
  const name = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  const first = await name();
  await page.keyboard.press("ArrowRight");
  const second = await name();
  expect(second).not.toBe(first);
  await page.keyboard.press("Home");
  expect(await name()).toBe(first);
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await expect(page.locator("#play")).toHaveText("Pause");
  await expect(page.locator("#source")).toHaveText(`Segment ${(await name())?.split(":")[0]}`);
  await tabTo(page, "save-csv");
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  expect(download.suggestedFilename()).toBe("speech.csv");
});

test("the keyboard starts and stops the microphone", async ({ page }) => {
  await page.goto("./");
  await tabTo(page, "listen");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  for (let presses = 0; presses < 5; presses += 1) {
    if (await page.evaluate(() => (document.activeElement as HTMLElement).dataset.action === "accept")) break;
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await expect(page.locator("body")).toHaveAttribute("data-live", "running");
  expect(await focused(page)).toBe("stop");
  await page.waitForTimeout(1000);
  await page.keyboard.press("Enter");
  await expect(page.locator("#exports")).toBeVisible();
  expect(await focused(page)).toBe("listen");
});

test("the focus is visible", async ({ page }) => {
  await page.goto("./");
  await tabTo(page, "choose");
  const outline = await page.locator("#choose").evaluate((button) => getComputedStyle(button).outlineWidth);
  expect(Number.parseFloat(outline)).toBeGreaterThanOrEqual(2);
});

for (const [width, height] of [
  [360, 740],
  [740, 360],
] as const) {
  test(`${width} pixels wide nothing is cut off`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    await page.goto("./");
    await expectNoOverflow(page);
    await analyse(page, SPEECH);
    await expectNoOverflow(page);
    await listen(page);
    await page.waitForTimeout(3000);
    await expectNoOverflow(page);
    const headline = await page.locator("#headline").boundingBox();
    expect((headline?.x ?? 0) + (headline?.width ?? 0)).toBeLessThanOrEqual(width);
  });
}

for (const locale of ["en-GB", "zh-CN"]) {
  test.describe(`in ${locale} on a phone`, () => {
    test.use({ locale, viewport: { width: 390, height: 844 } });

    test("no label and no button breaks inside a word", async ({ page }) => {
      await page.goto("./");
      await analyse(page, SPEECH);
      await page.locator("#settings summary").click();
      const broken = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLElement>("#headline, button, .name, #legend li, h1, h2, h3, dt")]
          .filter(
            (label) => label.checkVisibility() && label.textContent?.trim() && !/\s/.test(label.textContent.trim()),
          )
          .filter((label) => {
            const range = document.createRange();
            range.selectNodeContents(label);
            const tops = [...range.getClientRects()]
              .filter(({ height }) => height > 0)
              .map(({ top }) => Math.round(top));
            return Math.max(...tops) - Math.min(...tops) > Number.parseFloat(getComputedStyle(label).fontSize);
          })
          .map((label) => label.textContent),
      );
      expect(broken).toEqual([]);
      await expectNoOverflow(page);
    });
  });
}

test("the large word grows with the screen", async ({ page }) => {
  const sizes: number[] = [];
  for (const width of [1280, 1920, 2560]) {
    await page.setViewportSize({ width, height: Math.round(0.6 * width) });
    await page.goto("./");
    await analyse(page, SPEECH);
    sizes.push(await page.locator("#headline").evaluate((word) => Number.parseFloat(getComputedStyle(word).fontSize)));
  }
  const [desk = 0, hall = 0, wall = 0] = sizes;
  expect(hall).toBeGreaterThan(1.3 * desk);
  expect(wall).toBeGreaterThan(1.8 * desk);
});

test("colours are dark or light as in the system or as chosen, and remembered", async ({ page }) => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto("./");
  const light = await background();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await background();
  expect(dark).not.toBe(light);
  await page.getByLabel("Colours").selectOption("light");
  expect(await background()).toBe(light);
  await page.reload();
  expect(await background()).toBe(light);
});

test("every text has a contrast of at least 4.5 to 1, in dark and in light", async ({ page }) => {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto("./");
    await analyse(page, SPEECH);
    expect(await page.evaluate(weakTexts)).toEqual([]);
  }
});

/** Return the texts of the page that have too little contrast to the first solid background behind them. */
function weakTexts(): string[] {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (colour: string): number[] => {
    if (!canvas) return [0, 0, 0, 0];
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour: string) => {
    const [red, green, blue] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
  };
  const behind = (element: Element | null): string => {
    if (!element) return "white";
    const { backgroundColor } = getComputedStyle(element);
    return (channels(backgroundColor)[3] ?? 0) > 250 ? backgroundColor : behind(element.parentElement);
  };
  const found: string[] = [];
  for (const element of document.querySelectorAll<HTMLElement>("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim());
    if (!own || !element.checkVisibility() || element.closest("select, svg, .hidden")) continue;
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.textContent}: ${ratio.toFixed(2)}`);
  }
  return found;
}

test.describe("in Chinese", () => {
  test.use({ locale: "zh-CN" });

  test("the page has the browser's language, changes it at once, and remembers it", async ({ page }) => {
    await page.goto("./");
    await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
    await expect(page.locator("#choose")).toHaveText("选择文件");
    await analyse(page, SPEECH);
    await expect(page.locator("#source")).toContainText("总体");
    await expect(page.locator("#scores")).toContainText("高兴");
    await expect(page.locator("button.segment").first()).toHaveAttribute("aria-label", /秒|s：/);
    await page.locator("#language").click();
    await expect(page.locator("html")).toHaveAttribute("lang", "en");
    await expect(page.locator("#scores")).toContainText("happy");
    await expect(page.locator("button.segment").first()).toHaveAttribute("aria-label", /s: /);
    await page.reload();
    await expect(page.locator("html")).toHaveAttribute("lang", "en");
  });
});

test("the page announces verdicts to screen readers, and not every update", async ({ page }) => {
  await page.goto("./");
  await page.evaluate(() => {
    Object.assign(globalThis, { said: [] });
    new MutationObserver(() => {
      const text = document.getElementById("announcer")?.textContent ?? "";
      (globalThis as unknown as { said: string[] }).said.push(text);
    }).observe(document.getElementById("announcer") as HTMLElement, { childList: true });
  });
  await listen(page);
  await expect(page.locator("#headline")).toHaveText("No speech", { timeout: 5000 });
  await expect(page.locator("button.segment").first()).toBeVisible({ timeout: 20_000 });
  await page.waitForTimeout(3500);
  const said = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
  expect(said.length).toBeGreaterThanOrEqual(2);
  expect(said.length).toBeLessThanOrEqual(5);
  expect(said.join(" ")).toMatch(/Confidence|Perhaps/);
});
