/** Decodes and encodes the messages that ssh and ssh-agent exchanged. */
import * as keys from "@postern/keys";
import { loadVectors, type MessageVector, messageCodecs, messageTests, vectorsOf } from "@postern/testkit/vectors";
import { describe, expect, it } from "vitest";

describe("messages of an agent", () => {
  const file = loadVectors("agent", "messages");
  for (const { title, run } of messageTests(file, keys)) it(title, run);

  it("have a vector each", () => {
    const covered = new Set(vectorsOf<MessageVector>(file).map(({ message }) => message));
    expect([...messageCodecs(keys).keys()].toSorted()).toEqual([...covered].toSorted());
  });
});
