/** Many bytes through a forwarding, with rekeys while they flow. */

import { algorithms, compatibleAlgorithms, modernAlgorithms, type TunnelOptions } from "@postern/node";
import { describe, expect, it } from "vitest";
import {
  hashSink,
  isThorough,
  missing,
  openTunnel,
  patternChunks,
  patternHash,
  patternSource,
  type Sshd,
  startSshd,
  userKey,
  visit,
} from "./harness/index.ts";

const MiB = 1024 * 1024;
/** The amount in each direction, and what both sides exchange new keys after. */
const size = (isThorough ? 256 : 64) * MiB;
const rekeyMiB = isThorough ? 16 : 4;

describe.skipIf(missing("sshd"))(`a forwarding of ${size / MiB} MiB in each direction`, () => {
  const run = async (sshd: Sshd, options: Partial<TunnelOptions>): Promise<void> => {
    const tunnel = await openTunnel(sshd, options);
    const sink = await hashSink();
    const source = await patternSource(size, 5);
    const down = await tunnel.forward({ port: 0, target: { host: "127.0.0.1", port: sink.port } });
    const up = await tunnel.forward({ port: 0, target: { host: "127.0.0.1", port: source.port } });
    const sender = await visit(down.port);
    const reader = await visit(up.port);
    const [received] = await Promise.all([
      reader.hashAll(),
      sender.sendAll(patternChunks(size, 6)).then(() => sender.end()),
    ]);
    expect(received).toEqual({ bytes: size, sha256: patternHash(size, 5) });
    expect(await sink.next()).toEqual({ bytes: size, sha256: patternHash(size, 6) });
    reader.end();
    await tunnel.close();
    await Promise.all([sink.stop(), source.stop()]);
  };

  const { macs } = compatibleAlgorithms;
  for (const cipher of [...modernAlgorithms.ciphers, algorithms.aes256Ctr]) {
    it(`carries every byte with ${cipher.name} while the server rekeys every ${rekeyMiB} MiB`, async () => {
      const sshd = await startSshd({
        authorizedKeys: [(await userKey()).publicLine],
        config: { RekeyLimit: `${rekeyMiB}M`, LogLevel: "DEBUG1" },
      });
      try {
        await run(sshd, { algorithms: { ciphers: [cipher], macs } });
        expect(sshd.log().match(/set_newkeys: rekeying/g)?.length).toBeGreaterThan(30);
      } finally {
        await sshd.stop();
      }
    });
    it(`carries every byte with ${cipher.name} while the client rekeys every ${rekeyMiB} MiB`, async () => {
      const sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine], config: { LogLevel: "DEBUG1" } });
      try {
        await run(sshd, { algorithms: { ciphers: [cipher], macs }, rekey: { bytes: rekeyMiB * MiB } });
        expect(sshd.log().match(/set_newkeys: rekeying/g)?.length).toBeGreaterThan(30);
      } finally {
        await sshd.stop();
      }
    });
  }
});
