/** The line that `postern -V` prints. @module */
import { version } from "@postern/ssh";

/** As `ssh -V`: the version of the program, and of what it computes with. */
export function versionLine(): string {
  const { node = "", openssl = "" } = process.versions;
  return `Postern_${version}, Node.js ${node}, OpenSSL ${openssl}`;
}
