/**
 * Generates the files of the other formats, with new keys: `node test-vectors/keys/generate-files.mjs`. Needs
 * ssh-keygen, openssl, and puttygen 0.75 or newer, which is the first to write PPK version 3.
 */
import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { save } from "../generate/save.mjs.mts";

const folder = mkdtempSync(join(tmpdir(), "postern-files-"));
const at = (name) => join(folder, name);
const run = (command, ...args) => execFileSync(command, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
const found = (pattern, text) => pattern.exec(text.toString())[1];
const versions = {
  OpenSSH: found(/OpenSSH_([^,]+)/, execFileSync("sh", ["-c", "ssh -V 2>&1"])),
  OpenSSL: found(/OpenSSL (\S+)/, run("openssl", "version")),
  PuTTY: found(/Release (\S+)/, run("puttygen", "--version")),
  "Node.js": process.versions.node,
};

const command = "node keys/generate-files.mjs";
const sources = Object.fromEntries(
  Object.entries(versions).map(([name, version]) => [name, { name, version, command, licence: "MIT" }]),
);
const saveFiles = (algorithm, vectors) => save({ kind: "keys", algorithm, sources, vectors });

const string = (bytes) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]).fill(bytes.length >> 8, 2, 3), bytes]);
const mpint = (bytes) => string(bytes[0] > 0x7f ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);

/** The public key of a PEM file in the form of `ssh-keygen -y`, which reads no Ed25519 key in PEM (9.2). */
function publicLine(pem) {
  const jwk = createPublicKey(createPrivateKey(pem)).export({ format: "jwk" });
  const field = (name) => Buffer.from(jwk[name], "base64url");
  const [type, ...fields] = {
    OKP: () => ["ssh-ed25519", string(field("x"))],
    EC: () => {
      const curve = `nistp${jwk.crv.slice(2)}`;
      const point = Buffer.concat([Buffer.of(4), field("x"), field("y")]);
      return [`ecdsa-sha2-${curve}`, string(Buffer.from(curve)), string(point)];
    },
    RSA: () => ["ssh-rsa", mpint(field("e")), mpint(field("n"))],
  }[jwk.kty]();
  return `${type} ${Buffer.concat([string(Buffer.from(type)), ...fields]).toString("base64")}`;
}

// ---- One key of each type, as PKCS #8, which every other format is made from.

const types = {
  ed25519: ["-algorithm", "ed25519"],
  p256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  p384: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
  p521: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
  rsa: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
};
const lines = {};
for (const [name, args] of Object.entries(types)) {
  run("openssl", "genpkey", ...args, "-out", name);
  lines[name] = publicLine(readFileSync(at(name)));
}
const secret = "correct horse battery staple";
const umlauts = "pässwörd ✓ 密码";

/** Runs `openssl` and returns the vector of the file that it writes. */
function openssl(key, args, { passphrase, binary = false, line = lines[key] } = {}) {
  run("openssl", ...args, "-out", "out");
  const content = readFileSync(at("out"));
  return {
    comment: `openssl ${args.join(" ")}`,
    source: "OpenSSL",
    ...(binary ? { bytes: content.toString("hex") } : { text: content.toString() }),
    ...(passphrase !== undefined && { passphrase }),
    publicLine: line,
  };
}

saveFiles("file-pkcs8", [
  ...Object.keys(types).map((key) => openssl(key, ["pkcs8", "-topk8", "-nocrypt", "-in", key])),
  openssl("p256", ["ec", "-in", "p256", "-conv_form", "compressed"]),
  openssl("p256", ["pkey", "-in", "p256", "-ec_conv_form", "compressed"]),
  ...["ed25519", "p521", "rsa"].map((key) =>
    openssl(key, ["pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER"], { binary: true }),
  ),
]);

const topk8 = (key, passphrase, ...args) => ["pkcs8", "-topk8", "-in", key, "-passout", `pass:${passphrase}`, ...args];
saveFiles("file-pkcs8-encrypted", [
  ...Object.keys(types).map((key) => openssl(key, topk8(key, secret), { passphrase: secret })),
  ...["hmacWithSHA1", "hmacWithSHA256", "hmacWithSHA384", "hmacWithSHA512"].map((prf) =>
    openssl("ed25519", topk8("ed25519", umlauts, "-v2", "aes-256-cbc", "-v2prf", prf), { passphrase: umlauts }),
  ),
  ...["aes-128-cbc", "aes-192-cbc"].map((cipher) =>
    openssl("p256", topk8("p256", secret, "-v2", cipher, "-iter", "10000"), { passphrase: secret }),
  ),
  openssl("ed25519", topk8("ed25519", secret, "-scrypt", "-scrypt_N", "1024"), { passphrase: secret }),
  openssl("p384", topk8("p384", secret, "-scrypt"), { passphrase: secret }),
  openssl("ed25519", topk8("ed25519", secret, "-outform", "DER"), { passphrase: secret, binary: true }),
]);

const traditional = (tool, key, ...args) => [tool, "-in", key, ...args];
const encryptedPem = (tool, key, cipher) =>
  openssl(
    key,
    traditional(tool, key, ...(tool === "rsa" ? ["-traditional"] : []), cipher, "-passout", `pass:${secret}`),
    {
      passphrase: secret,
    },
  );
saveFiles("file-pem", [
  openssl("rsa", traditional("rsa", "rsa", "-traditional")),
  ...["p256", "p384", "p521"].map((key) => openssl(key, traditional("ec", key))),
  openssl("p256", traditional("ec", "p256", "-no_public")),
  openssl("rsa", traditional("rsa", "rsa", "-traditional", "-outform", "DER"), { binary: true }),
  openssl("p384", traditional("ec", "p384", "-outform", "DER"), { binary: true }),
  ...["-aes128", "-aes192", "-aes256"].flatMap((cipher) => [
    encryptedPem("rsa", "rsa", cipher),
    encryptedPem("ec", "p384", cipher),
  ]),
]);

// ---- The OpenSSH format, encrypted.

function opensshFile(key, passphrase, ...args) {
  run("ssh-keygen", "-q", "-N", passphrase, "-C", "me@laptop", "-f", key, ...args);
  return {
    comment: `ssh-keygen ${args.join(" ")} -N '${passphrase}'`,
    source: "OpenSSH",
    text: readFileSync(at(key), "utf8"),
    passphrase,
    publicLine: readFileSync(at(`${key}.pub`), "utf8")
      .trim()
      .split(" ")
      .slice(0, 2)
      .join(" "),
  };
}
const ciphers = [
  "128-cbc",
  "192-cbc",
  "256-cbc",
  "128-ctr",
  "192-ctr",
  "256-ctr",
  "128-gcm@openssh.com",
  "256-gcm@openssh.com",
];
saveFiles("file-openssh", [
  ...[...ciphers.map((name) => `aes${name}`), "chacha20-poly1305@openssh.com"].flatMap((cipher, index) => [
    opensshFile(`e${index}`, secret, "-t", "ed25519", "-Z", cipher, "-a", "1"),
    opensshFile(`p${index}`, umlauts, "-t", "ecdsa", "-b", "521", "-Z", cipher, "-a", "1"),
  ]),
  opensshFile("o256", secret, "-t", "ecdsa", "-b", "256", "-a", "3"),
  opensshFile("o384", secret, "-t", "ecdsa", "-b", "384", "-a", "3"),
  opensshFile("orsa", secret, "-t", "rsa", "-b", "2048"),
  opensshFile("olong", "x".repeat(200), "-t", "ed25519", "-a", "24"),
]);

// ---- PuTTY reads OpenSSH's formats only, so its keys are made by puttygen itself.

function ppk(line, name, passphrase, ...args) {
  writeFileSync(at("new"), passphrase);
  run("puttygen", name, "-O", "private", "-o", "out.ppk", "--new-passphrase", "new", ...args);
  return {
    comment: `puttygen ${name} -O private ${args.join(" ")}`,
    source: "PuTTY",
    text: readFileSync(at("out.ppk"), "utf8"),
    ...(passphrase !== "" && { passphrase }),
    publicLine: line,
  };
}
const puttyTypes = {
  ed25519: [],
  "ecdsa-256": ["-b", "256"],
  "ecdsa-384": ["-b", "384"],
  "ecdsa-521": ["-b", "521"],
  rsa: ["-b", "2048"],
};
const puttyLines = {};
for (const [name, args] of Object.entries(puttyTypes)) {
  const file = `putty-${name}`;
  run("ssh-keygen", "-q", "-t", name.replace(/-.*/, ""), ...args, "-N", "", "-C", "näme (PuTTY)", "-f", file);
  puttyLines[file] = readFileSync(at(`${file}.pub`), "utf8")
    .split(" ")
    .slice(0, 2)
    .join(" ");
}
const small = "memory=512,passes=2";
saveFiles("file-ppk", [
  ...Object.entries(puttyLines).flatMap(([name, line]) =>
    [2, 3].flatMap((version) => [
      ppk(line, name, "", "--ppk-param", `version=${version}`),
      ppk(line, name, secret, "--ppk-param", version === 2 ? "version=2" : `version=3,${small}`),
    ]),
  ),
  ...["argon2i", "argon2d", "argon2id"].map((kdf) =>
    ppk(
      puttyLines["putty-ed25519"],
      "putty-ed25519",
      umlauts,
      "--ppk-param",
      `version=3,kdf=${kdf},${small},parallelism=2`,
    ),
  ),
  ppk(puttyLines["putty-ed25519"], "putty-ed25519", secret, "--ppk-param", "version=3,passes=3"),
]);

// ---- PKCS #12

for (const key of Object.keys(types))
  run("openssl", "req", "-x509", "-key", key, "-subj", "/CN=postern", "-out", `${key}.crt`);
function pfx(key, passphrase, ...args) {
  const all = ["pkcs12", "-export", "-inkey", key, "-in", `${key}.crt`, "-passout", `pass:${passphrase}`, ...args];
  return openssl(key, all, { passphrase, binary: true });
}
saveFiles("file-pkcs12", [
  ...Object.keys(types).map((key) => pfx(key, secret)),
  pfx("ed25519", umlauts),
  pfx("ed25519", ""),
  ...["sha1", "sha384", "sha512"].map((mac) => pfx("p256", secret, "-macalg", mac, "-keypbe", "AES-128-CBC")),
  pfx("p384", secret, "-keypbe", "NONE", "-certpbe", "NONE"),
  pfx("rsa", secret, "-iter", "100000", "-name", "my key"),
  pfx("ed25519", secret, "-nomaciter"),
]);

saveFiles(
  "file-jwk",
  Object.entries(lines).map(([name, line]) => ({
    comment: `createPrivateKey(${name}).export({ format: "jwk" })`,
    source: "Node.js",
    text: JSON.stringify(createPrivateKey(readFileSync(at(name))).export({ format: "jwk" })),
    publicLine: line,
  })),
);

// ---- Files that are rejected. `expects` are the words that the error must contain.

function rejected(error, expects, make, passphrase) {
  const { publicLine: _, ...vector } = make;
  const result = error === "key" ? "invalid" : "acceptable";
  return { ...vector, ...(passphrase !== undefined && { passphrase }), result, error, expects };
}
const convert = "convert a copy with: ";
saveFiles("unread", [
  rejected("unsupported", ["ssh-dss"], opensshFile("dsa", "", "-t", "dsa")),
  rejected("key", ["2048", "1024"], opensshFile("short", "", "-t", "rsa", "-b", "1024")),
  rejected(
    "unsupported",
    ["3des-cbc", `${convert}ssh-keygen -p -f FILE`],
    opensshFile("3des", secret, "-t", "ed25519", "-Z", "3des-cbc"),
  ),
  rejected("limit", ["1024 rounds of bcrypt"], opensshFile("costly", secret, "-t", "ed25519", "-a", "1025"), secret),
  rejected("unsupported", ["DSA PRIVATE KEY"], opensshFile("dsapem", "", "-t", "dsa", "-m", "PEM")),
  rejected(
    "unsupported",
    ["1.3.132.0.10"],
    openssl("k1", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]),
  ),
  rejected("unsupported", ["1.3.101.113"], openssl("ed448", ["genpkey", "-algorithm", "ed448"])),
  rejected("unsupported", [convert, "openssl pkcs8"], openssl("p256", topk8("p256", secret, "-v1", "PBE-SHA1-3DES"))),
  rejected("unsupported", [convert, "openssl pkcs8"], openssl("p256", topk8("p256", secret, "-v2", "des3"))),
  rejected("limit", ["5000000 iterations of PBKDF2"], openssl("p256", topk8("p256", secret, "-iter", "5000001"))),
  rejected(
    "unsupported",
    [convert, "openssl pkcs12"],
    pfx("p256", secret, "-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"),
  ),
  rejected("unsupported", ["without a MAC"], pfx("p256", secret, "-nomac")),
  rejected(
    "key",
    ["private key", "none"],
    openssl("p256", ["pkcs12", "-export", "-nokeys", "-in", "p256.crt", "-passout", `pass:${secret}`], {
      passphrase: secret,
      binary: true,
    }),
  ),
]);
// The cipher that only some platforms have.
const tripleDes = [encryptedPem("rsa", "rsa", "-des3"), encryptedPem("ec", "p256", "-des3")];
saveFiles(
  "file-pem-3des",
  tripleDes.map((vector) => ({ ...vector, result: "acceptable" })),
);
rmSync(folder, { recursive: true });
