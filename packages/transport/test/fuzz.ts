/** Fuzz target: identification lines. Sessions are in packages/ssh. @module */
import type { FuzzTarget } from "@postern/testkit";
import { type Bytes, utf8 } from "@postern/wire";
import { VersionReader } from "../src/version-exchange.ts";

function read(role: "client" | "server", chunks: readonly Bytes[]): string {
  const reader = new VersionReader(role);
  for (const chunk of chunks) {
    const found = reader.read(chunk);
    if (found !== undefined) return `${found.version} ${found.bytes.join()} ${reader.lines.join("/")}`;
  }
  throw reader.missing();
}

const target = (role: "client" | "server"): FuzzTarget => ({
  name: `version-${role}`,
  sources: ["packages/transport/src/version-exchange.ts"],
  codes: ["version", "busy"],
  seeds: () =>
    ["SSH-2.0-x y\r\n", "SSH-1.99-x\n", "hello\r\nSSH-2.0-x\r\n", "Exceeded MaxStartups\r\n", "HTTP/1.1 400\r\n"].map(
      (text) => utf8(text),
    ),
  run(input) {
    const outcome = (chunks: readonly Bytes[]): string => {
      try {
        return read(role, chunks);
      } catch (error) {
        return String(error);
      }
    };
    const bytes = Array.from(input, (byte) => Uint8Array.of(byte));
    if (outcome([input]) !== outcome(bytes)) throw new Error("expected the same outcome for every chunking");
    read(role, [input]);
  },
});

export const targets: readonly FuzzTarget[] = [target("client"), target("server")];
