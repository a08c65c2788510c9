/**
 * Replays each recorded session: the same seed and input lead to the same output and events, for any cut of the input.
 */
import { readdirSync } from "node:fs";
import { bytesOf, chunkings, Player, seededRandom, type Transcript } from "@postern/testkit";
import { loadTests, loadVectors, type Vector } from "@postern/testkit/vectors";
import { SshError, toHex } from "@postern/wire";
import { describe, expect, it } from "vitest";

const folder = new URL(".", import.meta.url);
const transcripts = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((file) => file.replace(/\.json$/, ""))
  .flatMap((name) => loadTests<Transcript & Vector>("transcripts", name).map((test) => [name, test] as const));

const cuts = ["whole", "1 byte", "7 bytes", "random"];

describe.each(transcripts)("%s", (name, transcript) => {
  const { input, output } = bytesOf(transcript);

  it.each(cuts)(`replays the session with the input cut: %s (${transcript.comment})`, (cut) => {
    const player = new Player(transcript);
    player.take();
    const { chunks } =
      [...chunkings(input, seededRandom(name))].find((one) => one.name === cut) ?? expect.unreachable();
    for (const chunk of chunks) player.receive(chunk);
    expect(player.events).toEqual(transcript.events);
    expect(toHex(player.out)).toBe(toHex(output));
  });
});

describe("the transcripts", () => {
  const has = (role: string, wanted: (transcript: Transcript) => boolean): boolean =>
    transcripts.some(([, one]) => one.role === role && wanted(one));
  const keys = ({ events }: Transcript): number => events.filter((line) => line.startsWith("keys first=false")).length;

  it("cover every cipher, rekeys and half-closes in both roles", () => {
    for (const role of ["client", "server"]) {
      for (const cipher of [
        "chacha20-poly1305@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-ctr",
      ]) {
        expect(
          has(role, ({ algorithms }) => algorithms.ciphers.length === 1 && algorithms.ciphers[0] === cipher) ||
            has(role, ({ events }) => events.some((line) => line.includes(`cipherC2s=${cipher}`))),
          `${role} ${cipher}`,
        ).toBe(true);
      }
      expect(
        has(role, (one) => one.rekeyBytes < 10_000 && keys(one) > 1),
        `${role}: rekeys begun by us`,
      ).toBe(true);
      expect(
        has(role, (one) => one.rekeyBytes > 10_000 && keys(one) > 1),
        `${role}: rekeys begun by the peer`,
      ).toBe(true);
      expect(
        has(
          role,
          ({ events }) =>
            events.some((line) => line.startsWith("eof")) && events.some((line) => line.startsWith("closed")),
        ),
        `${role}: half-close`,
      ).toBe(true);
    }
    expect(has("client", ({ login }) => login.password !== undefined)).toBe(true);
  });

  it("name the other side, in every role that it has", () => {
    const sides = transcripts.map(([name, { role }]) => {
      const [group] = loadVectors("transcripts", name).testGroups;
      return `${role} and ${group?.source.name}`;
    });
    const both = ["OpenSSH", "asyncssh", "dropbear", "libssh", "paramiko", "ssh2"];
    expect([...new Set(sides)].toSorted()).toEqual(
      [...both.flatMap((name) => [`client and ${name}`, `server and ${name}`]), "server and PuTTY"].toSorted(),
    );
  });

  it("depend on their seed", () => {
    for (const [name, transcript] of transcripts) {
      const player = new Player({ ...transcript, seed: `${transcript.seed} and more` });
      player.take();
      // The peer's signature, or its first encrypted packet, does not fit our changed output.
      expect(() => player.receive(bytesOf(transcript).input), name).toThrow(SshError);
      expect(player.events).not.toContain("authenticated");
    }
  });
});
