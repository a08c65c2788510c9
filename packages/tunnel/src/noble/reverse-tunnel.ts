/** ReverseTunnel on a platform that may leave hashing to pure JavaScript. @module */
import { sha256 } from "@postern/crypto";
import type { TunnelOptions } from "../options.ts";
import type { Platform } from "../platform.ts";
import { ReverseTunnel as HashingTunnel } from "../reverse-tunnel.ts";

/**
 * A reverse tunnel through an SSH host.
 *
 * Events: `state`, `reconnectattempt`, `forwarding`, `selfcheck`, `banner`, `debug`, `visitorerror` (see `TunnelEvents`).
 * None of them has to be handled.
 */
export class ReverseTunnel extends HashingTunnel {
  /** @throws SshError `misuse` for options that are unknown, missing or out of range */
  constructor(options: TunnelOptions, platform: Platform) {
    super(options, { ...platform, sha256: platform.sha256 ?? sha256 });
  }
}
