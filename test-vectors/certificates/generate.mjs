/**
 * Generates the files of this folder with ssh-keygen and new keys: `node test-vectors/certificates/generate.mjs SK`.
 * SK is OpenSSH's `sk-dummy.so`, a security key in software (Debian's package openssh-tests).
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { save } from "../generate/save.mjs.mts";

const [, , provider] = process.argv;
if (provider === undefined) throw new Error("expected the path of sk-dummy.so");
const folder = mkdtempSync(join(tmpdir(), "postern-certificates-"));
const env = { ...process.env, SSH_SK_PROVIDER: provider, TZ: "UTC" };
const run = (...args) =>
  execFileSync("ssh-keygen", args, { cwd: folder, env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const read = (file) => readFileSync(join(folder, file), "utf8").trim();
const [, version] = /OpenSSH_([^,]+)/.exec(execFileSync("sh", ["-c", "ssh -V 2>&1"], { encoding: "utf8" }));
const message = "the quick brown fox";
writeFileSync(join(folder, "message"), message);

const types = {
  "ssh-ed25519": ["-t", "ed25519"],
  "ecdsa-sha2-nistp256": ["-t", "ecdsa", "-b", "256"],
  "ecdsa-sha2-nistp384": ["-t", "ecdsa", "-b", "384"],
  "ecdsa-sha2-nistp521": ["-t", "ecdsa", "-b", "521"],
  "ssh-rsa": ["-t", "rsa", "-b", "2048"],
  "sk-ssh-ed25519@openssh.com": ["-t", "ed25519-sk", "-w", provider],
  "sk-ecdsa-sha2-nistp256@openssh.com": ["-t", "ecdsa-sk", "-w", provider],
};
for (const [type, args] of Object.entries(types)) run("-q", ...args, "-N", "", "-C", "", "-f", type);
run("-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "other");

/** The signed bytes and the signature of an SSHSIG (OpenSSH PROTOCOL.sshsig). */
function signature(name) {
  rmSync(join(folder, "message.sig"), { force: true });
  run("-Y", "sign", "-n", "postern", "-f", name, "message");
  let rest = Buffer.from(read("message.sig").replace(/-----.*-----/g, ""), "base64").subarray(6 + 4);
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

/** The fields that `ssh-keygen -L` prints. Times are in UTC. */
function listed(file) {
  const lines = run("-Lf", file).split("\n");
  const after = (label) =>
    lines
      .find((line) => line.trim().startsWith(`${label}:`))
      .split(`${label}:`)[1]
      .trim();
  const block = (label) => {
    const at = lines.findIndex((line) => line.trim().startsWith(`${label}:`));
    if (lines[at].includes("(none)")) return [];
    const rest = lines.slice(at + 1);
    const end = rest.findIndex((line) => !/^ {16}/.test(line));
    return rest.slice(0, end < 0 ? undefined : end).map((line) => line.trim());
  };
  const [, from, to] = /^from (\S+) to (\S+)$/.exec(after("Valid")) ?? [];
  return {
    type: after("Type").includes("user certificate") ? "user" : "host",
    publicFingerprint: after("Public key").split(" ")[1],
    authorityFingerprint: /SHA256:\S+/.exec(after("Signing CA"))[0],
    signatureAlgorithm: /\(using (\S+)\)/.exec(after("Signing CA"))[1],
    keyId: JSON.parse(after("Key ID")),
    serial: after("Serial"),
    principals: block("Principals"),
    validAfter: from === undefined ? "0" : String(Date.parse(`${from}Z`) / 1000),
    validBefore: to === undefined ? String(2n ** 64n - 1n) : String(Date.parse(`${to}Z`) / 1000),
    criticalOptions: block("Critical Options"),
    extensions: block("Extensions"),
  };
}

let next = 0;
/** A certificate of the key, by the command in its comment. */
function certificate(key, authority, ...args) {
  const name = `certified${next++}`;
  writeFileSync(join(folder, `${name}.pub`), `${read(`${key}.pub`)}\n`);
  run("-q", "-s", authority, ...args, `${name}.pub`);
  const fields = listed(`${name}-cert.pub`);
  const isSha1 = fields.signatureAlgorithm === "ssh-rsa";
  return {
    result: isSha1 ? "invalid" : fields.principals.length === 0 ? "acceptable" : "valid",
    comment: `ssh-keygen -s ${authority} ${args.join(" ")} ${key}.pub`,
    source: "OpenSSH",
    certificate: read(`${name}-cert.pub`),
    publicLine: read(`${key}.pub`),
    authority: read(`${authority}.pub`),
    ...fields,
    ...signature(key),
  };
}

const command = "node certificates/generate.mjs SK";
const sources = { OpenSSH: { name: "OpenSSH", version, command, licence: "MIT" } };
const always = ["-V", "always:forever"];
for (const type of Object.keys(types)) {
  const vectors = [
    certificate(type, "ssh-ed25519", "-I", "a user", "-n", "ann,bob", "-z", "7", ...always),
    certificate(type, "ssh-ed25519", "-I", "a host", "-h", "-n", "ssh.example.com,*.example.net", ...always),
    certificate(type, "ssh-ed25519", "-I", "", "-V", "20260102030405:20270102030405", "-z", "18446744073709551615"),
    certificate(
      ...[type, "ssh-ed25519", "-I", "with options: näme", "-n", "ann", ...always],
      ...["-O", "clear", "-O", "force-command=/bin/true", "-O", "source-address=192.0.2.0/24,::1/128"],
      ...["-O", "verify-required", "-O", "no-touch-required", "-O", "permit-pty"],
      ...["-O", "extension:later@example.com=value"],
    ),
    ...Object.keys(types).map((authority) =>
      certificate(type, authority, "-I", `signed by ${authority}`, "-n", "ann", ...always),
    ),
    certificate(type, "ssh-rsa", "-t", "rsa-sha2-256", "-I", "rsa-sha2-256", "-n", "ann", ...always),
    certificate(type, "ssh-rsa", "-t", "ssh-rsa", "-I", "SHA-1", "-n", "ann", ...always),
  ];
  save({ kind: "certificates", algorithm: type, sources, vectors });
}

// Key revocation lists: which of the certificates and keys above each one revokes, by `ssh-keygen -Q`.
const subjects = ["one", "two", "three", "plain", "foreign"];
for (const [index, name] of ["one", "two", "three"].entries()) {
  writeFileSync(join(folder, `${name}.pub`), `${read("ecdsa-sha2-nistp256.pub")}\n`);
  run("-q", "-s", "ssh-ed25519", "-I", `id ${name}`, "-z", `${index + 1}`, "-n", "ann", ...always, `${name}.pub`);
}
writeFileSync(join(folder, "foreign.pub"), `${read("ssh-rsa.pub")}\n`);
run("-q", "-s", "other", "-I", "id one", "-z", "1", "-n", "ann", ...always, "foreign.pub");
const fileOf = (subject) => (subject === "plain" ? "ecdsa-sha2-nistp256.pub" : `${subject}-cert.pub`);
const specifications = {
  "a serial number": ["ssh-ed25519.pub", "serial: 1"],
  "a range of serial numbers": ["ssh-ed25519.pub", "serial: 2-1000000"],
  "many serial numbers, as a bitmap": [
    "ssh-ed25519.pub",
    [1, 3, 5, 6, 8, 11, 12, 14].map((n) => `serial: ${n}`).join("\n"),
  ],
  "distant serial numbers, as a list": ["ssh-ed25519.pub", "serial: 3\nserial: 1000000000000\nserial: 9000000000000"],
  "a key id": ["ssh-ed25519.pub", "id: id one"],
  "the serial number of any CA": ["none", "serial: 1"],
  "the SHA-256 fingerprint of the certified key": ["none", `sha256: ${read("ecdsa-sha2-nistp256.pub")}`],
  "the certified key": ["none", `key: ${read("ecdsa-sha2-nistp256.pub")}`],
  "the key of the CA": ["none", `key: ${read("ssh-ed25519.pub")}`],
  "nothing of ours": ["other.pub", "serial: 100"],
  "the SHA-1 fingerprint of the certified key": ["none", `sha1: ${read("ecdsa-sha2-nistp256.pub")}`],
};
const lists = Object.entries(specifications).map(([comment, [authority, text]]) => {
  writeFileSync(join(folder, "specification"), `${text}\n`);
  const args = ["-s", authority];
  run("-q", "-k", "-f", "krl", ...args, "specification");
  const revoked = subjects.filter((subject) => {
    try {
      run("-Q", "-f", "krl", fileOf(subject));
      return false;
    } catch {
      return true;
    }
  });
  const result = comment.includes("SHA-1") ? "acceptable" : "valid";
  return { comment, source: "OpenSSH", result, krl: readFileSync(join(folder, "krl")).toString("hex"), revoked };
});
const lines = Object.fromEntries(subjects.map((subject) => [subject, read(fileOf(subject))]));
save({ kind: "certificates", algorithm: "krl", sources, vectors: lists, shared: { subjects: lines } });
rmSync(folder, { recursive: true });
