/**
 * A stand-in for Google Cloud KMS with an ECDSA key on P-256. It has two methods of `cloudkms.googleapis.com/v1`, in
 * projects.locations.keyRings.cryptoKeys.cryptoKeyVersions: getPublicKey and asymmetricSign.
 * @module
 */
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { run, type TempDir, tempDir } from "../harness/index.ts";

export interface SignRequest {
  readonly digest: { readonly sha256: string };
}

export interface KmsStandIn {
  readonly endpoint: string;
  /** The name of the key version. */
  readonly key: string;
  /** The access token that it accepts. */
  readonly token: string;
  /** Decides about the next signatures. Default: `signs`. */
  behaviour: "signs" | "denies" | "hangs" | "signs other data";
  /** The bodies of the requests to sign. */
  readonly requests: readonly SignRequest[];
  stop(): Promise<void>;
}

export async function startKmsStandIn(): Promise<KmsStandIn> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const key = "projects/p/locations/global/keyRings/ssh/cryptoKeys/tunnel/cryptoKeyVersions/1";
  const token = "ya29.token";
  const requests: SignRequest[] = [];
  const dir = tempDir("postern-kms");
  writeFileSync(dir.file("key.pem"), privateKey.export({ type: "sec1", format: "pem" }), { mode: 0o600 });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const answer = (status: number, body: object): void =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    const fail = (code: number, status: string, message: string): void =>
      answer(code, { error: { code, message, status } });
    const { authorization } = request.headers;
    if (authorization !== `Bearer ${token}`) return fail(401, "UNAUTHENTICATED", "invalid authentication credentials");
    switch (`${request.method} ${request.url}`) {
      case `GET /v1/${key}/publicKey`:
        return answer(200, {
          pem: publicKey.export({ type: "spki", format: "pem" }),
          algorithm: "EC_SIGN_P256_SHA256",
          name: key,
          protectionLevel: "HSM",
        });
      case `POST /v1/${key}:asymmetricSign`: {
        const body = (await json(request)) as SignRequest;
        requests.push(body);
        if (standIn.behaviour === "hangs") return;
        if (standIn.behaviour === "denies") return fail(403, "PERMISSION_DENIED", `no useToSign on ${key}`);
        const digest = standIn.behaviour === "signs" ? Buffer.from(body.digest.sha256, "base64") : Buffer.alloc(32);
        return answer(200, { signature: await signDigest(digest, dir), name: key, protectionLevel: "HSM" });
      }
      default:
        return fail(404, "NOT_FOUND", `${request.url} not found`);
    }
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const standIn: KmsStandIn = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key,
    token,
    behaviour: "signs",
    requests,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
        dir.remove();
      }),
  };
  return standIn;
}

/** Returns the DER signature of a digest, in base64. `node:crypto` signs only data that it hashes itself. */
async function signDigest(digest: Uint8Array, dir: TempDir): Promise<string> {
  writeFileSync(dir.file("digest"), digest);
  await run("openssl", [
    ...["pkeyutl", "-sign", "-inkey", dir.file("key.pem")],
    ...["-in", dir.file("digest"), "-out", dir.file("signature")],
  ]);
  return readFileSync(dir.file("signature")).toString("base64");
}
