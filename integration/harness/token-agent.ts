/** An agent whose key claims to be in a security key. It is in memory, and signs as such a device does. @module */
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:net";
import {
  AgentFrameReader,
  AgentIdentitiesAnswer,
  AgentRequestIdentities,
  AgentSignRequest,
  AgentSignResponse,
  encodeAgentFrame,
  encodeEcdsaPair,
} from "@postern/keys";
import { type Bytes, toBase64, Writer } from "@postern/wire";
import { tempDir } from "./temp-dir.ts";

export interface TokenAgent {
  readonly path: string;
  readonly publicLine: string;
  /** The numbers of the messages that it received. */
  readonly requests: readonly number[];
  stop(): Promise<void>;
}

const application = "ssh:";
const sha256 = (data: Bytes): Bytes => createHash("sha256").update(data).digest();

export async function startTokenAgent(
  type: "sk-ssh-ed25519@openssh.com" | "sk-ecdsa-sha2-nistp256@openssh.com",
): Promise<TokenAgent> {
  const isEd25519 = type.startsWith("sk-ssh-ed25519");
  const { publicKey, privateKey } = isEd25519
    ? generateKeyPairSync("ed25519")
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const coordinates = [x, y].map((text) => Buffer.from(text, "base64url"));
  const writer = new Writer().text(type);
  if (isEd25519) writer.string(Buffer.concat(coordinates));
  else writer.text("nistp256").string(Buffer.concat([Uint8Array.of(4), ...coordinates]));
  const blob = writer.text(application).finish();

  // OpenSSH PROTOCOL.u2f: the device signs its own state and hashes, and the state follows the signature.
  const signed = (data: Bytes): Bytes => {
    const state = new Writer().byte(1).uint32(7).finish();
    const message = new Writer()
      .raw(sha256(Buffer.from(application)))
      .raw(state)
      .raw(sha256(data))
      .finish();
    const raw = sign(isEd25519 ? null : "sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
    return new Writer()
      .text(type)
      .string(isEd25519 ? raw : encodeEcdsaPair(raw))
      .raw(state)
      .finish();
  };
  const requests: number[] = [];
  const answer = (request: Bytes): Bytes => {
    requests.push(request[0] ?? 0);
    if (request[0] === AgentRequestIdentities.number) {
      return AgentIdentitiesAnswer.encode({ identities: [{ publicKey: blob, comment: "a token" }] });
    }
    if (request[0] !== AgentSignRequest.number) return Uint8Array.of(5);
    return AgentSignResponse.encode({ signature: signed(AgentSignRequest.decode(request).data) });
  };
  const dir = tempDir("postern-token-agent");
  const path = dir.file("socket");
  const server = createServer((socket) => {
    const reader = new AgentFrameReader();
    socket.on("data", (chunk: Bytes) => {
      const request = reader.receive(chunk);
      if (request !== undefined) socket.write(encodeAgentFrame(answer(request)));
    });
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    publicLine: `${type} ${toBase64(blob)}`,
    requests,
    async stop() {
      await new Promise((resolve) => server.close(resolve));
      dir.remove();
    },
  };
}
