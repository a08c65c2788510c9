/** Fuzz targets: authorized_keys, user certificates and addresses. @module */
import { formatPublicKey, parseCertificate } from "@postern/keys";
import { parseIp } from "@postern/ssh";
import { type FuzzTarget, vectorTexts } from "@postern/testkit";
import { fromBase64, fromUtf8, utf8 } from "@postern/wire";
import { authorizedKeys } from "../src/authorized-keys.ts";
import { AddressList } from "../src/ip.ts";

export const targets: readonly FuzzTarget[] = [
  {
    name: "authorized-keys",
    sources: ["packages/host/src/authorized-keys.ts", "packages/host/src/key-options.ts", "packages/host/src/ip.ts"],
    codes: ["key", "misuse", "limit"],
    seeds: () => {
      const [key = "", other = ""] = vectorTexts("keys", ["publicLine"]);
      return [
        `${key}\n# comment\n\n${other}\n`,
        `restrict,port-forwarding,permitopen="localhost:80",permitlisten="8080",from="10.0.0.0/8,!10.1.*" ${key}`,
        `cert-authority,principals="ann,bob",expiry-time="20300101Z" ${other}`,
        `command="a \\"b\\"",no-pty,environment="A=b",no-touch-required,verify-required ${key}`,
      ].map((text) => utf8(text));
    },
    run: (input) => void authorizedKeys(fromUtf8(input)),
  },
  {
    name: "user-certificate",
    sources: ["packages/host/src/user-certificate.ts", "packages/host/src/ip.ts"],
    codes: ["key", "unsupported"],
    seeds: () => vectorTexts("certificates", ["certificate"]).map((line) => fromBase64(line.split(" ")[1] ?? "")),
    run(input) {
      const certificate = parseCertificate(input);
      const { signatureKey, validAfter, principals } = certificate;
      const keys = authorizedKeys(`cert-authority ${formatPublicKey(signatureKey)}`);
      const use = { certificate, host: "10.1.2.3", user: principals[0] ?? "", time: Number(validAfter) * 1000 };
      keys.permissions(input, use);
    },
  },
  {
    name: "addresses",
    sources: ["packages/host/src/ip.ts"],
    codes: ["misuse", "key"],
    seeds: () => ["10.0.0.0/8,!10.1.2.3", "::1", "::ffff:1.2.3.4", "fe80::1%eth0", "2001:db8::/32"].map((t) => utf8(t)),
    run(input) {
      const text = fromUtf8(input);
      parseIp(text);
      void new AddressList(text).includes("10.1.2.3");
    },
  },
];
