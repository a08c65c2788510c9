/**
 * Limits the size of a browser's download: the built packages, bundled and minified by esbuild, packed by gzip -9.
 * `npm run check:size` needs the build; `node scripts/check-size.mjs --why` also prints the share of each file.
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { root } from "./lib/run.mjs";

const minimal = `
  import { chacha20Poly1305, curve25519Sha256 } from "@postern/noble";
  import { webRandom } from "@postern/crypto";
  import { webSshEd25519 } from "@postern/web";
  export { password } from "@postern/auth";
  const algorithms = { kex: [curve25519Sha256], hostKeys: [webSshEd25519], ciphers: [chacha20Poly1305], macs: [] };`;

/**
 * Each limit is the size at the time it was set plus 0.5 kB. It holds the size where it is: a change that needs more
 * raises the limit and says why. Bundles without a limit are printed for information.
 *
 * `privateKey` imports the formats of key files dynamically, and `ReverseTunnel` the ciphers in WebAssembly. Bundlers
 * that split code load them when needed; without that, as here, esbuild puts them into the same file, and wraps every
 * module even if none is used (0.6 kB). `without` leaves a package out, as a bundler that splits code does.
 */
const clients = [
  {
    name: "client: ReverseTunnel with its default algorithms, password and fingerprint",
    limit: 74_300,
    without: "@postern/wasm",
    source: 'export { ReverseTunnel, password, fingerprint } from "@postern/web";',
  },
  {
    name: "the same with chacha20-poly1305 in WebAssembly, which the first connection loads",
    limit: 81_100,
    source: 'export { ReverseTunnel, password, fingerprint } from "@postern/web";',
  },
  {
    name: "the same with webSocketPipe",
    source: 'export { ReverseTunnel, webSocketPipe, password, fingerprint } from "@postern/web";',
  },
  {
    name: "the same with webSocketPipe and privateKey",
    source: 'export { ReverseTunnel, webSocketPipe, password, fingerprint, privateKey } from "@postern/web";',
  },
  { name: "everything @postern/web exports", source: 'export * from "@postern/web";' },
  {
    name: "minimal: ReverseTunnel with curve25519, ed25519 by WebCrypto and chacha20-poly1305 alone",
    limit: 48_800,
    source: `${minimal}
      import { fingerprint, ReverseTunnel } from "@postern/tunnel";
      export const tunnel = (dial, options) =>
        new ReverseTunnel(options, { dial, dialTarget: false, algorithms, random: webRandom, sha256 });
      export { fingerprint };`,
  },
  {
    name: "minimal connection: connect() with the same algorithms",
    limit: 35_900,
    source: `${minimal}
      import { connect } from "@postern/ssh";
      export const open = (pipe, options) => connect(pipe, { ...options, algorithms, random: webRandom });`,
  },
  {
    name: "the three algorithms of the minimal bundles",
    source:
      'export { chacha20Poly1305, curve25519Sha256 } from "@postern/noble"; export { webSshEd25519 } from "@postern/web";',
  },
];

const why = process.argv.includes("--why");
if (!existsSync(join(root, "packages", "web", "dist", "index.js"))) fail("the packages are not built: npm run build");
let over = 0;
for (const { name, limit, without, source } of clients) {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: root, loader: "js" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    external: without === undefined ? [] : [without],
    metafile: true,
    write: false,
  });
  const [{ contents }] = outputFiles;
  const packed = gzip(contents);
  if (packed > limit) over++;
  const verdict = limit === undefined ? "" : packed > limit ? `, MORE THAN ${kB(limit)}` : `, of at most ${kB(limit)}`;
  console.log(`${name}: ${kB(contents.length)} minified, ${kB(packed)} gzip${verdict}`);
  if (why) explain(Object.values(metafile.outputs)[0].inputs);
}
if (over > 0) fail(`${over} are too large`);
console.log(`check-size: ${clients.length} bundles`);

function explain(inputs) {
  const rows = Object.entries(inputs).sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
  for (const [file, { bytesInOutput }] of rows) {
    if (bytesInOutput > 500) console.log(`  ${String(bytesInOutput).padStart(7)}  ${file}`);
  }
}

/** Runs the program gzip: the zlib of Node.js is faster, and packs almost 1 % worse. */
function gzip(contents) {
  const { status, stdout } = spawnSync("gzip", ["-9", "-c"], { input: contents, maxBuffer: contents.length });
  return (status === 0 ? stdout : gzipSync(contents, { level: 9 })).length;
}

function kB(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

function fail(message) {
  console.error(`check-size: ${message}`);
  process.exit(1);
}
