import { createRecogniser } from "emovox";

const out = document.querySelector("#out");
const listen = document.querySelector("#listen");
const recogniser = await createRecogniser();
out.textContent = `${recogniser.model.name} is ready`;

document.querySelector("#file").addEventListener("change", async ({ target }) => {
  const { label, segments } = await recogniser.analyse(target.files[0]);
  const lines = segments.map(({ start, end, label }) => `${start} to ${end} s: ${label ?? "not sure"}`);
  out.textContent = [`overall: ${label ?? "not sure"}`, ...lines].join("\n");
});

let session = null;
listen.addEventListener("click", async () => {
  if (session) {
    await session.stop();
    session = null;
  } else {
    const write = ({ label }) => {
      out.textContent = label ?? "not sure";
    };
    session = await recogniser.listen({ onUpdate: write, onEnd: write });
  }
  listen.textContent = session ? "Stop" : "Use the microphone";
});
