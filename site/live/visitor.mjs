/** A visitor of the forwarded port: sends an HTTP request, and reads the response to its end. @module */
import { Link } from "./link.mjs";

const request = "GET /greeting HTTP/1.1\r\nHost: this.tab.example:8080\r\nConnection: close\r\n\r\n";
const origin = { host: "192.0.2.7", port: 50_000 };

/** Resolves with the response, or with the empty string if the connection was closed without one. */
export function visit(onVisitor) {
  const [visitor, port] = new Link().ends;
  let response = "";
  return new Promise((resolve) => {
    const decoder = new TextDecoder();
    visitor.start({
      data(chunk) {
        response += decoder.decode(chunk, { stream: true });
      },
      end: () => visitor.end(),
      drain() {},
      closed: () => resolve(response),
    });
    onVisitor(port, origin);
    visitor.write(new TextEncoder().encode(request));
  });
}
