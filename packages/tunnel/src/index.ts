/** Floor 4: the end of a reverse tunnel that dials out. @module */
export { privateKey, privateKeyMethod } from "./noble/auth-methods.ts";
// In place of the one without noble, which asks more of its platform.
export { ReverseTunnel } from "./noble/reverse-tunnel.ts";
export * from "./platform-entry.ts";
