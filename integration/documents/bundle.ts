/** Bundles the programs of the pages with the sources of the packages. @module */
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

/** Writes a file for each program, named by its key. It runs after the prelude, and prints `@end` when it ends. */
export async function bundlePrograms(programs: ReadonlyMap<string, string>, outdir: string): Promise<void> {
  const resolveDir = fileURLToPath(new URL(".", import.meta.url));
  await esbuild.build({
    entryPoints: [...programs.keys()].map((name) => ({ in: `entry:${name}`, out: name })),
    plugins: [
      {
        name: "programs",
        setup(build) {
          build.onResolve({ filter: /^(entry|program):/ }, ({ path }) => {
            const [namespace, name = ""] = path.split(":");
            return { path: name, namespace: namespace ?? "" };
          });
          build.onLoad({ filter: /.*/, namespace: "entry" }, ({ path }) => ({
            contents: `import "./prelude.ts";\nimport "program:${path}";\nconsole.log("@end");\n`,
            resolveDir,
          }));
          build.onLoad({ filter: /.*/, namespace: "program" }, ({ path }) => ({
            contents: programs.get(path) ?? "",
            resolveDir,
            loader: "ts",
          }));
        },
      },
    ],
    outdir,
    bundle: true,
    // The packages are compiled once, into files that the programs share.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    conditions: ["@postern/source"],
    logLevel: "warning",
  });
}
