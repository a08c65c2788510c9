/** Fuzz target: requests of visitors. @module */
import type { FuzzTarget } from "@postern/testkit";
import { type Bytes, utf8 } from "@postern/wire";
import { RequestMachine } from "../src/request-machine.ts";

const limits = { maxHeaderBytes: 1024, maxHeaders: 10, maxBodyBytes: 100_000 };

/** Returns the events as text, with content joined. */
function read(chunks: readonly Bytes[]): string {
  const machine = new RequestMachine(limits);
  let seen = "";
  let data = 0;
  for (let at = 0; at <= chunks.length; at++) {
    const chunk = chunks[at];
    if (chunk === undefined) machine.receiveEnd();
    else machine.receive(chunk);
    for (let event = machine.next(); event !== undefined; event = machine.next()) {
      if (event.type === "data") data += event.data.length;
      else {
        seen += `${data} ${event.type} `;
        data = 0;
        if (event.type === "head") seen += JSON.stringify([event.head.method, event.head.url, event.head.framing]);
        if (event.type === "error") return `${seen}${event.error.status}`;
      }
    }
  }
  return seen + data;
}

export const targets: readonly FuzzTarget[] = [
  {
    name: "http-requests",
    sources: ["packages/http/src/request-machine.ts", "packages/http/src/request-head.ts"],
    codes: [],
    seeds: () =>
      [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b?c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
        'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a="b"\r\nabc\r\n0\r\nTrailer: x\r\n\r\n',
        "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
      ].map((text) => utf8(text)),
    run(input) {
      const sevens: Bytes[] = [];
      for (let at = 0; at < input.length; at += 7) sevens.push(input.slice(at, at + 7));
      if (read([input]) !== read(sevens)) throw new Error("expected the same events for every chunking");
    },
  },
];
