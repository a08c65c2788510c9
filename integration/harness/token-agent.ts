/** An agent whose key claims to be in a security key. It is in memory, and signs as such a device does. @module */
import { createServer } from "node:net";
import {
  AgentFrameReader,
  AgentIdentitiesAnswer,
  AgentRequestIdentities,
  AgentSignRequest,
  AgentSignResponse,
  encodeAgentFrame,
} from "@postern/keys";
import type { Bytes } from "@postern/wire";
import { softwareToken, type TokenType } from "./software-token.ts";
import { tempDir } from "./temp-dir.ts";

export interface TokenAgent {
  readonly path: string;
  readonly publicLine: string;
  /** The numbers of the messages that it received. */
  readonly requests: readonly number[];
  stop(): Promise<void>;
}

export async function startTokenAgent(type: TokenType): Promise<TokenAgent> {
  const token = softwareToken(type);
  const requests: number[] = [];
  const answer = (request: Bytes): Bytes => {
    requests.push(request[0] ?? 0);
    if (request[0] === AgentRequestIdentities.number) {
      return AgentIdentitiesAnswer.encode({ identities: [{ publicKey: token.publicKey, comment: "a token" }] });
    }
    if (request[0] !== AgentSignRequest.number) return Uint8Array.of(5);
    return AgentSignResponse.encode({ signature: token.sign(AgentSignRequest.decode(request).data) });
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
    publicLine: token.publicLine,
    requests,
    async stop() {
      await new Promise((resolve) => server.close(resolve));
      dir.remove();
    },
  };
}
