// Builds the bundle that the program serves, the licences of what is in it, and bundle.json, by which a test sees that
// the committed bundle is that of the committed source.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../signals_app/segments/static/segments");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

const result = await build({
    absWorkingDir: here,
    entryPoints: { builder: "src/main.jsx" },
    outdir: target,
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "iife",
    target: ["es2022", "chrome111", "firefox114", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    alias: {
        react: "preact/compat",
        "react-dom": "preact/compat",
        "react/jsx-runtime": "preact/jsx-runtime",
    },
    define: { "process.env.NODE_ENV": '"production"' },
    legalComments: "none",
    banner: {
        js: "/* Built from frontend/ by `make frontend`: do not edit. Licences: builder.licences.txt */",
        css: "/* Built from frontend/ by `make frontend`: do not edit. */",
    },
});

const packages = new Map();
for (const input of Object.keys(result.metafile.inputs)) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) packages.set(found[1], join(here, "node_modules", found[1]));
}
const licences = [...packages].sort().map(([name, folder]) => {
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
    return `${name} ${version} (${license})\n\n${text}\n`;
});

const outputs = {
    "builder.licences.txt": `What builder.js contains besides our own code.\n\n${licences.join(`\n${"-".repeat(80)}\n\n`)}`,
};
for (const file of result.outputFiles) outputs[relative(target, file.path)] = file.text;

mkdirSync(target, { recursive: true });
const files = {};
for (const name of Object.keys(outputs).sort()) {
    writeFileSync(join(target, name), outputs[name]);
    files[name] = sha256(outputs[name]);
}
const sources = {};
const own = readdirSync(join(here, "src")).map((name) => `src/${name}`);
for (const name of ["build.mjs", "package.json", "package-lock.json", ...own].sort()) {
    sources[name] = sha256(readFileSync(join(here, name)));
}
writeFileSync(join(here, "bundle.json"), `${JSON.stringify({ sources, files }, null, 2)}\n`);
for (const [name, text] of Object.entries(outputs)) console.log(`${name}: ${(text.length / 1024).toFixed(0)} kB`);
