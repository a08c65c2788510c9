/** The line that `postern -V` prints. @module */
import { releaseVersion } from "./release.ts";

/** As `ssh -V`: the version of the program, and of what it computes with. */
export function versionLine(): string {
  const { node = "", openssl = "" } = process.versions;
  return `Postern_${releaseVersion}, Node.js ${node}, OpenSSL ${openssl}`;
}
