/** Decodes and encodes the wire vectors: data types of RFC 4251 section 5, and every message. */

import {
  loadVectors,
  type MessageVector,
  messageCodecs,
  messageTests,
  typeTests,
  vectorsOf,
} from "@postern/testkit/vectors";
import { describe, expect, it } from "vitest";

describe("data types", () => {
  for (const { title, run } of typeTests(loadVectors("wire", "types"))) it(title, run);
});

describe("messages", () => {
  const file = loadVectors("wire", "messages");
  for (const { title, run } of messageTests(file)) it(title, run);

  it("have a vector for every message and record, except for those with lists of pairs", () => {
    const covered = new Set(vectorsOf<MessageVector>(file).map(({ message }) => message));
    const lists = ["ExtInfo", "UserauthInfoRequest", "UserauthInfoResponse"];
    expect([...messageCodecs().keys()].filter((name) => !covered.has(name)).toSorted()).toEqual(lists);
  });
});
