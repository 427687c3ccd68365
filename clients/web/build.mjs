// Builds the annotator into seem_server/web/static, which is committed; `--tests` builds the tests into .tests.
// sources.sha256 there lists what it was built from, so that the Python suite can tell a stale build without node.

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const common = {
  absWorkingDir: here, bundle: true, format: "esm", target: "es2022", jsx: "automatic", jsxImportSource: "preact",
};

function files(folder) {
  return readdirSync(join(here, folder), { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => relative(here, join(one.parentPath ?? one.path, one.name)))
    .sort();
}

/** Of what is bundled, as its authors ask. */
function licences() {
  const packages = ["preact", "@preact/signals", "@preact/signals-core", "@bufbuild/protobuf"];
  const texts = packages.map((name) => {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    return `${name} ${version} (${license})\n\n${file ? readFileSync(join(folder, file), "utf8") : ""}`;
  });
  const photos = "The sample photos: clients/demo/photos/LICENCES.md (public domain and CC0 1.0).\n";
  return `${texts.join(`\n${"-".repeat(80)}\n\n`)}\n${"-".repeat(80)}\n\n${photos}`;
}

if (process.argv.includes("--tests")) {
  const out = join(here, ".tests");
  rmSync(out, { recursive: true, force: true });
  await build({ ...common, entryPoints: files("tests"), outdir: out, platform: "node", outExtension: { ".js": ".mjs" } });
} else {
  const out = join(here, "../../seem_server/web/static");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, "samples"), { recursive: true });
  await build({ ...common, entryPoints: ["src/main.tsx"], outfile: join(out, "app.js"), minify: true, legalComments: "inline" });
  await build({ absWorkingDir: here, entryPoints: ["src/app.css"], outfile: join(out, "app.css"), minify: true, external: ["icon.svg"], bundle: true });
  for (const name of ["index.html", "icon.svg"]) cpSync(join(here, "src", name), join(out, name));
  for (const name of ["cat", "coffee", "astronaut"]) {
    cpSync(join(here, "../demo/photos", `${name}.jpg`), join(out, "samples", `${name}.jpg`));
  }
  writeFileSync(join(out, "LICENCES.txt"), licences());
  const sources = [...files("src"), "build.mjs", "package-lock.json"];
  const sums = sources.map((name) => `${createHash("sha256").update(readFileSync(join(here, name))).digest("hex")}  ${name}`);
  writeFileSync(join(out, "sources.sha256"), `${sums.join("\n")}\n`);
}
