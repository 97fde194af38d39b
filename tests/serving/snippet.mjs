// Run the docs' client for browsers in Chromium, and print its log and the text on its WebSocket.
// Run it in web/, whose tools it uses. Arguments: the page, "console" or "click", a WAV file for the microphone,
// and for the console what is typed there.
import { chromium } from "@playwright/test";

const [page, way, microphone, typed] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-audio-capture=${microphone}`,
  ],
});
const tab = await browser.newPage();
tab.on("console", (message) => console.log("log", message.text()));
tab.on("pageerror", (error) => console.log(`${error}`));
const socket = new Promise((resolve) => tab.on("websocket", resolve));
await tab.goto(page);
if (way === "click") {
  await tab.getByRole("button", { name: "listen" }).click();
} else {
  const devtools = await tab.context().newCDPSession(tab);
  const evaluation = { expression: typed, replMode: true, awaitPromise: true, userGesture: true };
  const told = await devtools.send("Runtime.evaluate", evaluation);
  console.log(told.exceptionDetails?.exception?.description ?? "no exception");
}
const stream = await socket;
stream.on("framesent", ({ payload }) => typeof payload === "string" && console.log("sent", payload));
stream.on("framereceived", ({ payload }) => console.log("received", JSON.parse(payload).type));
await stream.waitForEvent("framereceived", (frame) => frame.payload.includes("speech.ended"));
const closed = stream.waitForEvent("close");
if (way === "click") await tab.getByRole("button", { name: "stop" }).click();
else await tab.evaluate("stop()");
await closed;
console.log("closed");
await browser.close();
