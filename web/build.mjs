// Bundle the pages into the Python package; with --check, check that the committed bundles are those of the sources; with
// --host FOLDER MODELS, write the page without a server for a static host, with the models of a folder to choose from.
import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const SOURCES = fileURLToPath(new URL("src/", import.meta.url));
const BUNDLE = fileURLToPath(new URL("../src/emovox/serving/static/", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../examples/demo.flac", import.meta.url)); // loaded only when it is asked for
const ENGINE = "../packages/emovox/src";
const LOCAL = "local"; // folder of the page without a server, for any static host
const MODEL = "emovox.wasm"; // `make wasm` writes it
const CARD = ".web.json"; // end of the name of a card that `emovox export --to web` writes
const LIST = "models.json";
const LIST_TAG = `<meta name="emovox-models" content="${LIST}">\n`;
const RUNTIME = ["ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"];
const RUNTIME_FOLDER = fileURLToPath(new URL("node_modules/onnxruntime-web/dist/", import.meta.url));
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

async function bundleLocal(folder, models = null) {
  await bundle(folder);
  const worker = `${ENGINE}/worker/worker.ts`;
  const define = { "import.meta.url": "document.baseURI" }; // the files of the package are beside the page
  await build({ ...SCRIPTS, define, entryPoints: { app: "local/main.ts", worker }, outdir: folder });
  const page = await readFile(join(folder, "index.html"), "utf8");
  const changed = page
    .replace(/<dialog id="key"[\s\S]*?<\/dialog>\n/, "")
    .replace(/<p><a href="docs"[\s\S]*?<\/p>\n/, "")
    .replace(/(<p id="lead".*\n)/, '$1<p id="offline" class="hint" hidden></p>\n');
  await writeFile(join(folder, "index.html"), models ? changed.replace("</head>", `${LIST_TAG}</head>`) : changed);
  await copyFile(join(BUNDLE, LOCAL, MODEL), join(folder, MODEL)).catch(ignoreSame);
  const later = models ? await copyModels(models, folder) : [];
  const files = (await readdir(folder)).filter((name) => name !== "service-worker.js").sort();
  const hash = createHash("sha256");
  for (const name of files) hash.update(await readFile(join(folder, name)));
  const unstored = ["index.html", basename(EXAMPLE), ...later]; // "./" is the page; others are fetched if asked for
  const stored = ["./", ...files.filter((name) => !unstored.includes(name))];
  await build({
    ...SCRIPTS,
    define: {
      VERSION: JSON.stringify(hash.digest("hex").slice(0, 16)),
      FILES: JSON.stringify(stored),
      LATER: JSON.stringify(later),
    },
    entryPoints: { "service-worker": "local/service_worker.ts" },
    outdir: folder,
  });
}

/** Copy models that `emovox export --to web` wrote, and onnxruntime-web; list them, and return their names. */
async function copyModels(from, folder) {
  const names = (await readdir(from)).sort();
  const cards = names.filter((name) => name.endsWith(CARD));
  if (!cards.length) throw new Error(`got no *${CARD} in ${from}; run emovox export hybrid --to web --output ${from}`);
  for (const name of names) await copyFile(join(from, name), join(folder, name));
  for (const name of RUNTIME) await copyFile(join(RUNTIME_FOLDER, name), join(folder, name));
  const [script, wasm] = RUNTIME;
  const list = cards.map(async (card) => {
    const { card: info } = JSON.parse(await readFile(join(folder, card), "utf8"));
    const model = { kind: "onnx", url: `${info.name}.onnx`, head: `${info.name}-head.onnx`, card };
    const files = await Promise.all(
      [model.url, model.head, card, ...RUNTIME].map((name) => readFile(join(folder, name))),
    );
    const bytes = files.reduce((sum, file) => sum + gzipSync(file, { level: 9 }).length, 0);
    return { info, megabytes: Math.round(bytes / 1e5) / 10, model, onnxruntime: { script, wasm } };
  });
  await writeFile(join(folder, LIST), JSON.stringify(await Promise.all(list)));
  return [...names, ...RUNTIME];
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
  const [action, folder, models] = process.argv.slice(2);
  if (action === "--host") {
    if (!folder || !models) throw new Error("got too few folders, expected --host FOLDER MODELS");
    await rm(folder, { recursive: true, force: true });
    await bundleLocal(resolve(folder), models);
    process.stdout.write(`${folder}: copy it to any static host\n`);
    return;
  }
  if (action !== "--check") {
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
