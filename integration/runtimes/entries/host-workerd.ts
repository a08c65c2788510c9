/** A TunnelHost of `@postern/web` in workerd: each connection is a call of the inbound `connect()` handler. @module */

// @ts-expect-error: this module exists only in workerd
import { connect } from "cloudflare:sockets";
import {
  type ByteStreams,
  pipeFromStreams,
  policy,
  readPrivateKey,
  TunnelHost,
  type WorkerdConnect,
  workerdSocket,
} from "@postern/web";

export default {
  async connect(socket: ByteStreams, { HOST_KEY }: { readonly HOST_KEY: string }): Promise<void> {
    const host = new TunnelHost({
      hostKeys: [await readPrivateKey(HOST_KEY)],
      authorize: policy({ test: { password: "secret", permitOpen: ["*:*"] } }),
      dial: ({ host: hostname, port }, { signal }) =>
        workerdSocket(connect as WorkerdConnect, { hostname, port }, { signal }),
    });
    await host.serve(pipeFromStreams(socket));
  },
};
