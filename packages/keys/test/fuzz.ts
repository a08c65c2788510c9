/** Fuzz targets: public keys, certificates, lists of revoked keys, known hosts and messages of agents. @module */
import { hmacSha1, parsePrivateKey, sha256 } from "@postern/noble";
import { type FuzzTarget, testHostKeyText, vectorBytes, vectorTexts } from "@postern/testkit";
import { type Bytes, fromBase64, fromUtf8, utf8 } from "@postern/wire";
import {
  AgentExtension,
  AgentFrameReader,
  AgentIdentitiesAnswer,
  AgentSignResponse,
  agentAlgorithms,
  certificateOption,
  checkCertificateConditions,
  encodeAgentFrame,
  knownKeys,
  parseCertificate,
  parseFingerprint,
  parseKnownHosts,
  parsePublicKey,
  parseRevokedKeys,
} from "../src/index.ts";

const blobOf = (line: string): Bytes => fromBase64(line.split(" ")[1] ?? "");
const certificates = (): string[] => vectorTexts("certificates", ["certificate"]);
const [subject = ""] = certificates();

export const targets: readonly FuzzTarget[] = [
  {
    name: "public-key",
    sources: ["packages/keys/src/public-key.ts"],
    codes: ["key", "unsupported"],
    seeds: () => vectorTexts("keys", ["publicLine"]).map((text) => utf8(text)),
    run: (input) => void parsePublicKey(fromUtf8(input)),
  },
  {
    name: "certificate",
    sources: ["packages/keys/src/certificate.ts", "packages/keys/src/check-certificate.ts"],
    codes: ["key"],
    seeds: () => certificates().map(blobOf),
    run(input) {
      const certificate = parseCertificate(input);
      const { type, signatureKey, validAfter } = certificate;
      checkCertificateConditions(certificate, {
        type,
        principal: "ssh.example.com",
        authorities: [signatureKey],
        now: Number(validAfter) * 1000,
        criticalOptions: ["force-command", "source-address"],
      });
      certificateOption(certificate, "source-address");
    },
  },
  {
    name: "revoked-keys",
    sources: ["packages/keys/src/revoked-keys.ts"],
    codes: ["key", "limit"],
    seeds: () => [...vectorBytes("certificates/krl.json", ["krl"]), utf8(certificates().slice(0, 2).join("\n"))],
    run: (input) => void parseRevokedKeys(input, sha256).reason(blobOf(subject)),
  },
  {
    name: "known-hosts",
    sources: ["packages/keys/src/known-hosts.ts", "packages/keys/src/known-hosts-verdict.ts"],
    codes: ["key", "limit"],
    seeds: () => vectorTexts("known-hosts", ["text"]).map((text) => utf8(text)),
    run(input) {
      const lines = parseKnownHosts(fromUtf8(input));
      knownKeys(lines, "ssh.example.com", hmacSha1);
    },
  },
  {
    name: "agent-answers",
    sources: ["packages/keys/src/agent-messages.ts", "packages/keys/src/agent-keys.ts"],
    codes: ["protocol", "limit", "key"],
    seeds: () => vectorBytes("agent", ["encoded"]).map((bytes) => encodeAgentFrame(bytes)),
    run(input) {
      const reader = new AgentFrameReader();
      const first = reader.receive(input.subarray(0, input.length >> 1));
      const message = first ?? reader.receive(input.subarray(input.length >> 1));
      if (message === undefined) return;
      if (message[0] === AgentIdentitiesAnswer.number) {
        for (const { publicKey } of AgentIdentitiesAnswer.decode(message).identities) {
          agentAlgorithms(fromUtf8(publicKey.subarray(4)));
        }
      } else if (message[0] === AgentExtension.number) AgentExtension.decode(message);
      else AgentSignResponse.decode(message);
    },
  },
  {
    name: "plain-private-key",
    sources: ["packages/keys/src/private-key.ts"],
    codes: ["key", "passphrase", "unsupported", "limit"],
    // A valid key costs a multiplication on its curve, outside our code.
    seeds: () => [testHostKeyText, ...vectorTexts("keys/ssh-ed25519.json", ["privateKey"])].map((text) => utf8(text)),
    run: (input) => void parsePrivateKey(fromUtf8(input)),
  },
  {
    name: "fingerprint",
    sources: ["packages/keys/src/fingerprint.ts"],
    codes: ["key", "misuse"],
    seeds: () => [utf8("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"), utf8("MD5:00:11")],
    run: (input) => void parseFingerprint(fromUtf8(input)),
  },
];
