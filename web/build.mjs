// Bundle the page into the Python package; with --check, check that the committed bundle is that of the sources.
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SOURCES = fileURLToPath(new URL("src/", import.meta.url));
const BUNDLE = fileURLToPath(new URL("../src/emovox/serving/static/", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../examples/demo.flac", import.meta.url)); // loaded only when it is asked for
const LARGEST = 102_400; // bytes of all other files together, so that the page loads quickly on a slow line

async function bundle(folder) {
  await mkdir(folder, { recursive: true });
  const shared = { absWorkingDir: SOURCES, bundle: true, minify: true, target: "es2022", legalComments: "none" };
  await build({
    ...shared,
    entryPoints: { app: "main.ts", worklet: "audio/worklet.ts" },
    outdir: folder,
    format: "iife",
    charset: "utf8",
  });
  await build({ ...shared, entryPoints: { app: "style/app.css" }, outdir: folder });
  const page = await readFile(join(SOURCES, "index.html"), "utf8");
  await writeFile(join(folder, "index.html"), page.replace(/^ +/gm, ""));
  await copyFile(join(SOURCES, "icon.svg"), join(folder, "icon.svg"));
  await copyFile(EXAMPLE, join(folder, basename(EXAMPLE)));
}

async function sizeOf(folder) {
  const names = (await readdir(folder)).filter((name) => name !== basename(EXAMPLE));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function differing(fresh, committed) {
  const names = new Set([...(await readdir(fresh)), ...(await readdir(committed).catch(() => []))]);
  const stale = [];
  for (const name of [...names].sort()) {
    const [a, b] = await Promise.all(
      [fresh, committed].map((folder) => readFile(join(folder, name)).catch(() => Buffer.alloc(0))),
    );
    if (!a.equals(b)) stale.push(name);
  }
  return stale;
}

async function main() {
  if (!process.argv.includes("--check")) {
    await rm(BUNDLE, { recursive: true, force: true });
    await bundle(BUNDLE);
    process.stdout.write(`${BUNDLE}: ${await sizeOf(BUNDLE)} bytes\n`);
    return;
  }
  const fresh = await mkdtemp(join(tmpdir(), "emovox-web-"));
  try {
    await bundle(fresh);
    const stale = await differing(fresh, BUNDLE);
    if (stale.length)
      throw new Error(`got another bundle for ${stale.join(", ")}: run \`npm run build\` and commit it`);
    const size = await sizeOf(BUNDLE);
    if (size > LARGEST) throw new Error(`got a bundle of ${size} bytes, expected at most ${LARGEST}`);
    process.stdout.write(`the committed bundle is fresh: ${size} bytes\n`);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

await main();
