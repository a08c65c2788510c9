/** Fuzz targets: ssh_config, and key files of every format. @module */
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FuzzTarget, vectorBytes, vectorTexts } from "@postern/testkit";
import { fromUtf8, utf8 } from "@postern/wire";
import { readPrivateKey, resolveSshConfig } from "../src/index.ts";

const path = join(tmpdir(), `postern-fuzz-${process.pid}`);
process.once("exit", () => rmSync(path, { force: true }));

export const targets: readonly FuzzTarget[] = [
  {
    name: "ssh-config",
    sources: ["packages/node/src/ssh-config/"],
    // The file is the user's, so its errors are `misuse`, with file and line.
    codes: ["misuse"],
    seeds: () =>
      [
        "Host a b.example.com !c*\n  HostName %h.example.com\n  Port 22\nUser me\n",
        'Match host "a*" user me\nProxyJump a@b:22,c\nIdentityFile ~/.ssh/%u-%h\nMatch final\nCiphers +aes128-ctr\n',
        "RemoteForward 8080 localhost:80\nLocalForward [::1]:1 /a/b\nDynamicForward 1080\nRekeyLimit 1G 1h\n",
        "ServerAliveInterval 15\nSendEnv A_* -B\nSetEnv A=b\nHostKeyAlgorithms ^ssh-ed25519\nTag x\nControlPersist 1m\n",
        "IgnoreUnknown x*\nxyz a\nProxyCommand nc %h %p\nKnownHostsCommand none\nUserKnownHostsFile /dev/null\n",
      ].map((text) => utf8(text)),
    async run(input) {
      // Include would read files of this machine, and Match exec runs nothing without `allowExec`.
      if (/include/i.test(fromUtf8(input))) return;
      writeFileSync(path, input);
      await resolveSshConfig("a", { file: path, env: { A: "b" }, home: "/nowhere", user: "me" });
    },
  },
  {
    name: "key-file",
    sources: ["packages/keys/src/files/", "packages/keys/src/private-key.ts"],
    codes: ["key", "passphrase", "unsupported", "limit"],
    maxBytes: 8192,
    // Key derivation takes as many rounds as the file says, up to a limit.
    steps: 50_000_000,
    seeds: () => [...vectorTexts("keys", ["text"]).map((text) => utf8(text)), ...vectorBytes("keys", ["bytes"])],
    run: async (input) => void (await readPrivateKey(input)),
  },
];
