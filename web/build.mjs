// Bundle the pages into the Python package; with --check, check that the committed bundles are those of the sources.
import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const SOURCES = fileURLToPath(new URL("src/", import.meta.url));
const BUNDLE = fileURLToPath(new URL("../src/emovox/serving/static/", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../examples/demo.flac", import.meta.url)); // loaded only when it is asked for
const ENGINE = "../packages/emovox/src";
const LOCAL = "local"; // folder of the page without a server, for any static host
const MODEL = "emovox.wasm"; // `make wasm` writes it
const LARGEST = 113_000; // bytes of the service's page, so that it loads quickly on a slow line
const LARGEST_LOCAL = 800_000; // bytes of the page without a server, by gzip, with its model

const SHARED = { absWorkingDir: SOURCES, bundle: true, minify: true, target: "es2022", legalComments: "none" };
const SCRIPTS = { ...SHARED, format: "iife", charset: "utf8" };

async function bundle(folder) {
  await mkdir(folder, { recursive: true });
  const worklet = `${ENGINE}/audio/worklet.ts`;
  await build({ ...SCRIPTS, entryPoints: { app: "main.ts", worklet }, outdir: folder });
  await build({ ...SHARED, entryPoints: { app: "style/app.css" }, outdir: folder });
  const page = await readFile(join(SOURCES, "index.html"), "utf8");
  await writeFile(join(folder, "index.html"), page.replace(/^ +/gm, ""));
  await copyFile(join(SOURCES, "icon.svg"), join(folder, "icon.svg"));
  await copyFile(EXAMPLE, join(folder, basename(EXAMPLE)));
}

async function bundleLocal(folder) {
  await bundle(folder);
  const worker = `${ENGINE}/worker/worker.ts`;
  const define = { "import.meta.url": "document.baseURI" }; // the files of the package are beside the page
  await build({ ...SCRIPTS, define, entryPoints: { app: "local/main.ts", worker }, outdir: folder });
  const page = await readFile(join(folder, "index.html"), "utf8");
  const changed = page
    .replace(/<dialog id="key"[\s\S]*?<\/dialog>\n/, "")
    .replace(/<p><a href="docs"[\s\S]*?<\/p>\n/, "")
    .replace(/(<p id="lead".*\n)/, '$1<p id="offline" class="hint" hidden></p>\n');
  await writeFile(join(folder, "index.html"), changed);
  await copyFile(join(BUNDLE, LOCAL, MODEL), join(folder, MODEL)).catch(ignoreSame);
  const files = (await readdir(folder)).filter((name) => name !== "service-worker.js").sort();
  const hash = createHash("sha256");
  for (const name of files) hash.update(await readFile(join(folder, name)));
  const unstored = ["index.html", basename(EXAMPLE)]; // "./" is the page; the example is fetched if it is asked for
  const stored = ["./", ...files.filter((name) => !unstored.includes(name))];
  await build({
    ...SCRIPTS,
    define: { VERSION: JSON.stringify(hash.digest("hex").slice(0, 16)), FILES: JSON.stringify(stored) },
    entryPoints: { "service-worker": "local/service_worker.ts" },
    outdir: folder,
  });
}

function ignoreSame(error) {
  if (error.code !== "ERR_FS_CP_EINVAL" && error.code !== "EINVAL") throw error;
}

/** Remove what is in a folder but the model. */
async function clear(folder) {
  for (const name of await readdir(folder).catch(() => []))
    if (name !== LOCAL && name !== MODEL) await rm(join(folder, name), { recursive: true, force: true });
}

async function filesOf(folder) {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name !== LOCAL && name !== basename(EXAMPLE));
}

async function sizeOf(folder) {
  const sizes = await Promise.all((await filesOf(folder)).map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function compressedSizeOf(folder) {
  const names = await filesOf(folder);
  const sizes = names.map(async (name) => gzipSync(await readFile(join(folder, name)), { level: 9 }).length);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function differing(fresh, committed) {
  const names = new Set([...(await readdir(fresh)), ...(await readdir(committed).catch(() => []))]);
  const stale = [];
  for (const name of [...names].filter((one) => one !== LOCAL).sort()) {
    const [a, b] = await Promise.all(
      [fresh, committed].map((folder) => readFile(join(folder, name)).catch(() => Buffer.alloc(0))),
    );
    if (!a.equals(b)) stale.push(name);
  }
  return stale;
}

async function report(folder) {
  const [size, local] = [await sizeOf(folder), await compressedSizeOf(join(folder, LOCAL))];
  if (size > LARGEST) throw new Error(`got a bundle of ${size} bytes, expected at most ${LARGEST}`);
  if (local > LARGEST_LOCAL)
    throw new Error(`got a page without a server of ${local} bytes by gzip, expected at most ${LARGEST_LOCAL}`);
  return `${size} bytes; without a server ${local} bytes by gzip`;
}

async function main() {
  const local = join(BUNDLE, LOCAL);
  if (!process.argv.includes("--check")) {
    await clear(BUNDLE);
    await clear(local);
    await bundle(BUNDLE);
    await bundleLocal(local);
    process.stdout.write(`${BUNDLE}: ${await report(BUNDLE)}\n`);
    return;
  }
  const fresh = await mkdtemp(join(tmpdir(), "emovox-web-"));
  try {
    await bundle(fresh);
    await bundleLocal(join(fresh, LOCAL));
    const stale = [...(await differing(fresh, BUNDLE)), ...(await differing(join(fresh, LOCAL), local))];
    if (stale.length)
      throw new Error(`got another bundle for ${stale.join(", ")}: run \`npm run build\` and commit it`);
    process.stdout.write(`the committed bundle is fresh: ${await report(BUNDLE)}\n`);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

await main();
