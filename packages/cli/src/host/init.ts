/** `postern host init`: writes a configuration with comments and a host key. @module */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generatePrivateKey, readPrivateKey, sha256Fingerprint } from "@postern/node";
import { systemReason } from "./sshd-config/parse.ts";

const configName = "host.json";
const keyName = "host_ed25519";

/** Never overwrites a file. Resolves with the exit status. */
export async function runInit(args: readonly string[]): Promise<number> {
  const [option = "", value] = args;
  const [, inline] = /^--folder=(.+)$/.exec(option) ?? [];
  const folder = inline ?? (option === "--folder" ? value : args.length === 0 ? "." : undefined);
  if (folder === undefined || args.length > (inline === undefined ? 2 : 1)) {
    process.stderr.write("postern host init: expected at most --folder FOLDER\n");
    return 1;
  }
  const [config, key] = [join(folder, configName), join(folder, keyName)];
  const existing = [config, key].find((path) => existsSync(path));
  if (existing !== undefined) {
    process.stderr.write(`postern host init: ${existing} exists, and nothing was written\n`);
    return 1;
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const text = generatePrivateKey();
    writeFileSync(key, text, { flag: "wx", mode: 0o600 });
    writeFileSync(config, template, { flag: "wx", mode: 0o600 });
    const { publicKey } = await readPrivateKey(text);
    process.stdout.write(instructions({ config, key, fingerprint: sha256Fingerprint(publicKey) }));
    return 0;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    process.stderr.write(`postern host init: ${code === undefined ? message : systemReason(code)}\n`);
    return 1;
  }
}

function instructions({
  config,
  key,
  fingerprint,
}: Readonly<Record<"config" | "key" | "fingerprint", string>>): string {
  return `Wrote ${config} and ${key}.
The fingerprint of the host key, which clients compare: ${fingerprint}

Next:
  1. Put the public keys of your users into ${config}.
  2. postern host -t --config ${config}
  3. postern host --config ${config}
`;
}

/** The configuration that a new host starts from. It is checked in the tests. */
export const template: string = `{
  // The configuration of postern host. Comments like this one are allowed.
  // After a change, send SIGHUP to the host. Clients stay connected.
  "$schema": "https://raw.githubusercontent.com/postern/postern/main/packages/cli/schema/host.schema.json",

  // Where clients connect: a port of all addresses, or "127.0.0.1:2222", "[::1]:2222".
  "listen": ["2222"],

  // Clients know the host by this key. Keep it.
  "hostKeys": ["${keyName}"],

  "users": {
    // ssh -N -p 2222 -R 8101:localhost:3000 deploy@this-host
    "deploy": {
      // Lines of authorized_keys. Files: "keysFiles": ["deploy.pub"]
      "keys": [],
      // The hash that "postern host hash" prints: "password": "$scrypt$…",
      // The ports that this user may listen on.
      "permitListen": ["localhost:*"]
      // The targets that this user may connect to (ssh -L, -J): "permitOpen": ["db.internal:5432"]
    }
  },

  // "no" is loopback only; "yes" lets the whole network reach forwarded ports.
  "gatewayPorts": "no"

  // "url": "https://{user}.example.com",
  // "health": "127.0.0.1:9090",
  // "limits": { "connections": 1000 },
  // "log": { "level": "VERBOSE", "format": "json" }
}
`;
