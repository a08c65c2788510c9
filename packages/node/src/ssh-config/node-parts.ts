/**
 * The parts of this platform. To be wired: each entry is replaced by the function of the same name as soon as it exists
 * here. @module
 */
import { type AuthMethod, publickey } from "@postern/auth";
import { SshError } from "@postern/wire";
import { readNativeSigner } from "../keys.ts";
import type { SshConfigParts } from "./parts.ts";

/** The functions that `fromSshConfig` uses. */
export const nodeParts: SshConfigParts = {
  privateKeyFile: (path) =>
    lazily(async () => {
      const text = await process.getBuiltinModule("node:fs/promises").readFile(path, "utf8");
      return publickey(readNativeSigner(text));
    }),
  agent: () => lazily(() => Promise.reject(missing("an agent"))),
  knownHosts: () => () => Promise.reject(missing("known_hosts")),
  commandPipe: () => Promise.reject(missing("ProxyCommand")),
  none: () => lazily(() => Promise.reject(missing("the method none"))),
};

function lazily(create: () => Promise<AuthMethod>): AuthMethod {
  return {
    name: "publickey",
    begin(context) {
      let dialog: ReturnType<AuthMethod["begin"]> | undefined;
      return {
        async next(answer) {
          dialog ??= (await create()).begin(context);
          return await dialog.next(answer);
        },
      };
    },
  };
}

function missing(what: string): SshError {
  return new SshError("credentials", `expected support for ${what}, got none yet`);
}
