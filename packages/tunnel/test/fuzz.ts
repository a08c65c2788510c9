/** Fuzz target: host keys that a server announces. @module */
import { compatibleAlgorithms } from "@postern/noble";
import { type FuzzTarget, vectorTexts } from "@postern/testkit";
import { fromBase64, Writer } from "@postern/wire";
import { readAnnouncement } from "../src/update-host-keys.ts";

export const targets: readonly FuzzTarget[] = [
  {
    name: "host-key-announcement",
    sources: ["packages/tunnel/src/update-host-keys.ts"],
    codes: ["protocol", "limit", "key"],
    seeds() {
      const blobs = vectorTexts("keys", ["publicLine"]).map((line) => fromBase64(line.split(" ")[1] ?? ""));
      const [first, second, third] = blobs;
      return [[first], [second, third], blobs.slice(0, 8)].map((keys) => {
        const writer = new Writer(4096);
        for (const key of keys) if (key !== undefined) writer.string(key);
        return writer.finish();
      });
    },
    run: (input) => void readAnnouncement(input, compatibleAlgorithms.hostKeys),
  },
];
