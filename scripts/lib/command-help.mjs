/** Loads the descriptions of the commands of `postern`, from which the help, the man page and a page are made. @module */
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "./run.mjs";

const modules = ["commands.ts", "help/labels.ts", "help/man-page.ts", "release.ts"];

/** Bundles and loads the modules, without those that run the commands. */
export async function loadCommandHelp() {
  const { outputFiles } = await build({
    stdin: {
      contents: modules.map((file) => `export * from "./${file}";`).join("\n"),
      resolveDir: join(root, "packages/cli/src"),
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    conditions: ["@postern/source"],
    plugins: [{ name: "static", setup: (all) => all.onResolve({ filter: /./ }, onlyStatic) }],
    logLevel: "warning",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}

function onlyStatic({ kind, path }) {
  return kind === "dynamic-import" ? { path, external: true } : undefined;
}
