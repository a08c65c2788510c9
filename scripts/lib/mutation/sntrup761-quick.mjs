/** Three vectors of sntrup761: a key pair with decapsulation, an encapsulation, and an altered ciphertext. @module */
import { sntrup761X25519Sha512 } from "@postern/noble";
import { kexTests } from "@postern/testkit/vectors";
import { it } from "vitest";

const tests = kexTests(sntrup761X25519Sha512);
for (const { title, run } of [0, 1, 24].map((at) => tests[at])) it(title, run);
