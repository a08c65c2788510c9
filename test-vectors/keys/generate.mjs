/** Generates the files of plain OpenSSH keys with ssh-keygen and new keys: `node test-vectors/keys/generate.mjs`. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { save } from "../generate/save.mjs.mts";

const folder = mkdtempSync(join(tmpdir(), "postern-keys-"));
const run = (command, ...args) =>
  execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const [, version] = /OpenSSH_([^,]+)/.exec(execFileSync("sh", ["-c", "ssh -V 2>&1"], { encoding: "utf8" }));
const message = "the quick brown fox";
writeFileSync(join(folder, "message"), message);

/** The fields of an SSHSIG (OpenSSH PROTOCOL.sshsig), and from them the bytes that were signed. */
function signature(name) {
  rmSync(join(folder, "message.sig"), { force: true });
  run("ssh-keygen", "-Y", "sign", "-n", "postern", "-f", name, "message");
  const armour = readFileSync(join(folder, "message.sig"), "utf8");
  let rest = Buffer.from(armour.replace(/-----.*-----/g, ""), "base64").subarray(6 + 4);
  const string = () => {
    const size = rest.readUInt32BE(0);
    const value = rest.subarray(4, 4 + size);
    rest = rest.subarray(4 + size);
    return value;
  };
  const [, namespace, reserved, hash, blob] = [string(), string(), string(), string(), string()];
  const digest = createHash(hash.toString()).update(message).digest();
  const parts = [namespace, reserved, hash, digest].flatMap((part) => [uint32(part.length), part]);
  return { data: Buffer.concat([Buffer.from("SSHSIG"), ...parts]).toString("hex"), signature: blob.toString("hex") };
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function pair(comment, ...args) {
  const name = `key${Math.random()}`;
  const command = ["-q", ...args, "-N", "", "-C", comment, "-f", name];
  run("ssh-keygen", ...command);
  const publicLine = readFileSync(join(folder, `${name}.pub`), "utf8").trim();
  return {
    comment: `ssh-keygen ${args.join(" ")} -N '' -C '${comment}'`,
    source: "OpenSSH",
    privateKey: readFileSync(join(folder, name), "utf8"),
    publicLine,
    fingerprint: run("ssh-keygen", "-lf", name).split(" ")[1],
    bits: Number(run("ssh-keygen", "-lf", name).split(" ")[0]),
    ...signature(name),
  };
}

const command = "node keys/generate.mjs";
const sources = { OpenSSH: { name: "OpenSSH", version, command, licence: "MIT" } };
const saveKeys = (algorithm, vectors) => save({ kind: "keys", algorithm, sources, vectors });
saveKeys("ssh-ed25519", [
  pair("me@laptop", "-t", "ed25519"),
  pair("", "-t", "ed25519"),
  pair("näme with spaces", "-t", "ed25519"),
]);
for (const bits of [256, 384, 521]) {
  saveKeys(`ecdsa-sha2-nistp${bits}`, [
    pair("me@laptop", "-t", "ecdsa", "-b", `${bits}`),
    pair("", "-t", "ecdsa", "-b", `${bits}`),
  ]);
}
saveKeys("ssh-rsa", [
  pair("me@laptop", "-t", "rsa", "-b", "2048"),
  pair("", "-t", "rsa", "-b", "3072"),
  pair("odd size", "-t", "rsa", "-b", "2049"),
]);

rmSync(folder, { recursive: true });
