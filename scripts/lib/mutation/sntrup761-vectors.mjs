/** The vectors of sntrup761, which `npm test` runs among those of all algorithms. @module */
import { sntrup761X25519Sha512 } from "@postern/noble";
import { kexTests } from "@postern/testkit/vectors";
import { it } from "vitest";

for (const { title, run } of kexTests(sntrup761X25519Sha512)) it(title, run);
