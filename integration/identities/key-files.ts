/** The key files of the test vectors: one of each format, encryption and key type. @module */
import { type KeyFileVector, loadKeyVectors, loadTests } from "@postern/testkit/vectors";

const pem = (keyType: string) => (keyType === "ssh-rsa" ? "PKCS#1 PEM" : "SEC1 PEM");

/** The row of a file, by its family and the command that made it. */
const rows: Readonly<Record<string, (command: string, keyType: string, isEncrypted: boolean) => string>> = {
  "file-openssh": (command) => `OpenSSH, ${/-Z (\S+)/.exec(command)?.[1]?.replace("@openssh.com", "") ?? "aes256-ctr"}`,
  "file-pkcs8": () => "PKCS#8",
  "file-pkcs8-encrypted": () => "PKCS#8, PBES2",
  "file-pem": (command, keyType) => {
    const cipher = /-(aes\d+)/.exec(command)?.[1];
    return cipher === undefined ? pem(keyType) : `${pem(keyType)}, Proc-Type: 4,ENCRYPTED`;
  },
  "file-pem-3des": (_, keyType) => `${pem(keyType)}, Proc-Type: 4,ENCRYPTED (3DES)`,
  "file-ppk": (command, _, isEncrypted) =>
    `PPK v${/version=(\d)/.exec(command)?.[1] ?? "?"}${isEncrypted ? ", encrypted" : ""}`,
  "file-pkcs12": () => "PKCS#12",
  "file-jwk": () => "JWK",
};

export type KeyFile = readonly [row: string, keyType: string, vector: Omit<KeyFileVector, "tcId" | "flags" | "result">];

export function keyFiles(): readonly KeyFile[] {
  const plain = loadKeyVectors()
    .map(([type, vector]): KeyFile => ["OpenSSH, plain", type, { ...vector, text: vector.privateKey }]);
  const others = Object.entries(rows).flatMap(([family, rowOf]) =>
    loadTests<KeyFileVector>("keys", family).map((vector): KeyFile => {
      const keyType = vector.publicLine.split(" ")[0] ?? "";
      return [rowOf(vector.comment, keyType, vector.passphrase !== undefined), keyType, vector];
    }),
  );
  const all = [...plain, ...others];
  return all.filter(([row, type], index) => all.findIndex((one) => one[0] === row && one[1] === type) === index);
}
