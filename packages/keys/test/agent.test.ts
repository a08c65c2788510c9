/** The messages of an agent, one that lies included, and the choice of its keys. */
import { readFileSync } from "node:fs";
import { sha256 } from "@postern/noble";
import { type Bytes, concat, fromHex, toHex, utf8, Writer } from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  AgentFrameReader,
  AgentIdentitiesAnswer,
  AgentSignResponse,
  agentAlgorithms,
  agentSignFlags,
  checkAgentSignature,
  encodeAgentFrame,
  formatPublicKey,
  identityMatcher,
  plainBlob,
} from "../src/index.ts";

const file = new URL("../../../test-vectors/agent/messages.json", import.meta.url);
const { testGroups } = JSON.parse(readFileSync(file, "utf8")) as {
  readonly testGroups: readonly {
    readonly tests: readonly { readonly message: string; readonly encoded: string; readonly result: string }[];
  }[];
};
const vectors = testGroups.flatMap(({ tests }) => tests).filter(({ result }) => result === "valid");
const recorded = (message: string): Bytes[] =>
  vectors.filter((one) => one.message === message).map(({ encoded }) => fromHex(encoded));
/** ed25519, its certificate, ecdsa and rsa. */
const { identities } = AgentIdentitiesAnswer.decode(recorded("AgentIdentitiesAnswer").at(-1) as Bytes);
/** 256 KiB, as in OpenSSH. */
const largestMessage = 262_144;
const failure = (code: string) => expect.objectContaining({ code });

describe("an answer of an agent", () => {
  it("truncated at any byte is a protocol error", () => {
    for (const [codec, messages] of [
      [AgentIdentitiesAnswer, recorded("AgentIdentitiesAnswer")],
      [AgentSignResponse, recorded("AgentSignResponse")],
    ] as const) {
      for (const message of messages) {
        for (let size = 1; size < message.length; size++) {
          expect(() => codec.decode(message.subarray(0, size))).toThrow(failure("protocol"));
        }
        expect(() => codec.decode(concat(message, utf8("x")))).toThrow(failure("protocol"));
      }
    }
  });

  it("has at most 2048 identities, whatever it claims", () => {
    for (const [count, code] of [
      [2049, "limit"],
      [1_000_000, "limit"],
      [0xffff_ffff, "limit"],
      [2048, "protocol"],
    ] as const) {
      const answer = new Writer().byte(12).uint32(count).finish();
      expect(() => AgentIdentitiesAnswer.decode(answer)).toThrow(failure(code));
    }
    // A length of 1 GiB inside a message.
    const lying = new Writer()
      .byte(12)
      .uint32(1)
      .uint32(2 ** 30)
      .finish();
    expect(() => AgentIdentitiesAnswer.decode(lying)).toThrow(failure("protocol"));
  });
});

describe("AgentFrameReader", () => {
  it("returns a message under every chunking", () => {
    const message = Uint8Array.from({ length: 20 }, (_, at) => at);
    const frame = encodeAgentFrame(message);
    for (let size = 1; size <= frame.length; size++) {
      const reader = new AgentFrameReader();
      // Twice, because a reader is used for each answer of a connection.
      for (let round = 0; round < 2; round++) {
        const answers: (Bytes | undefined)[] = [];
        for (let at = 0; at < frame.length; at += size) answers.push(reader.receive(frame.subarray(at, at + size)));
        expect(answers.filter((one) => one !== undefined)).toEqual([message]);
        expect(answers.at(-1)).toEqual(message);
      }
    }
  });

  it("accepts 256 KiB and refuses a larger claim before it allocates memory", () => {
    const largest = new Uint8Array(largestMessage).fill(7);
    expect(new AgentFrameReader().receive(encodeAgentFrame(largest))).toEqual(largest);
    for (const claim of [largestMessage + 1, 2 ** 30, 0xffff_ffff]) {
      const header = new Writer().uint32(claim).finish();
      expect(() => new AgentFrameReader().receive(header)).toThrow(failure("limit"));
    }
  });

  it("refuses an empty message, and bytes after the end", () => {
    expect(() => new AgentFrameReader().receive(new Uint8Array(4))).toThrow(failure("protocol"));
    const frame = encodeAgentFrame(utf8("answer"));
    for (let cut = 0; cut <= frame.length; cut++) {
      const reader = new AgentFrameReader();
      const endless = (): void => {
        reader.receive(frame.subarray(0, cut));
        reader.receive(concat(frame.subarray(cut), new Uint8Array(1_000_000)));
      };
      expect(endless).toThrow(expect.objectContaining({ name: "SshError" }));
    }
  });
});

describe("the keys of an agent", () => {
  it("sign with SHA-2 if they are RSA, and not at all if they are DSA", () => {
    expect(agentAlgorithms("ssh-ed25519")).toEqual(["ssh-ed25519"]);
    expect(agentAlgorithms("sk-ssh-ed25519@openssh.com")).toEqual(["sk-ssh-ed25519@openssh.com"]);
    expect(agentAlgorithms("ssh-rsa")).toEqual(["rsa-sha2-512", "rsa-sha2-256"]);
    expect(agentAlgorithms("ssh-rsa-cert-v01@openssh.com")).toEqual([
      "rsa-sha2-512-cert-v01@openssh.com",
      "rsa-sha2-256-cert-v01@openssh.com",
    ]);
    expect(agentAlgorithms("ssh-dss")).toEqual([]);
    expect(agentAlgorithms("ssh-dss-cert-v01@openssh.com")).toEqual([]);
    expect(["rsa-sha2-512", "rsa-sha2-256-cert-v01@openssh.com", "ssh-ed25519"].map(agentSignFlags)).toEqual([4, 2, 0]);
  });

  it("are found by fingerprint, line or comment; a certificate has the fingerprint of its key, as in ssh-add -l", () => {
    const found = (text: string): string[] => {
      const matches = identityMatcher(text, (bytes) => sha256.digest(bytes));
      return identities.filter(matches).map(({ publicKey }) => toHex(publicKey));
    };
    const [ed25519, certificate, ecdsa] = identities.map(({ publicKey }) => publicKey) as [Bytes, Bytes, Bytes];
    expect(plainBlob(certificate)).toEqual(ed25519);
    expect(plainBlob(ecdsa)).toEqual(ecdsa);
    const unknown = new Writer().text("constructor-cert-v01@openssh.com").string(new Uint8Array(8)).finish();
    expect(plainBlob(unknown)).toEqual(unknown);
    const base64 = Buffer.from(sha256.digest(ed25519)).toString("base64").replace("=", "");
    expect(found(`SHA256:${base64}`)).toEqual([toHex(ed25519), toHex(certificate)]);
    expect(found(formatPublicKey(ecdsa, "with another comment"))).toEqual([toHex(ecdsa)]);
    expect(found(formatPublicKey(certificate))).toEqual([toHex(certificate)]);
    expect(found("ecdsa of a vector")).toEqual([toHex(ecdsa)]);
    expect(found("ssh-ed25519 of nobody")).toEqual([]);
    for (const wrong of ["SHA256:short", "ssh-ed25519 AAAA????"]) {
      expect(() => found(wrong)).toThrow(failure("key"));
    }
  });

  it("must sign with the algorithm that was asked for", () => {
    // `ssh-add -T` asks for SHA-1; the login of `ssh` for rsa-sha2-512.
    const signatures = recorded("AgentSignResponse").map((message) => AgentSignResponse.decode(message).signature);
    const accepted = (algorithm: string): boolean[] =>
      signatures.map((signature) => {
        try {
          return checkAgentSignature(signature, algorithm) === signature;
        } catch (error) {
          expect(error).toEqual(failure("key"));
          return false;
        }
      });
    expect(accepted("rsa-sha2-512")).toEqual([false, false, false, true]);
    expect(accepted("rsa-sha2-512-cert-v01@openssh.com")).toEqual([false, false, false, true]);
    expect(accepted("rsa-sha2-256")).toEqual([false, false, false, false]);
    expect(accepted("ssh-ed25519-cert-v01@openssh.com")).toEqual([true, false, false, false]);
  });
});
