/** Real peers for the tests. @module */
export * from "./aftermath.ts";
export * from "./agent.ts";
export * from "./certificates.ts";
export * from "./dropbear.ts";
export * from "./keys.ts";
export * from "./middlebox.ts";
export * from "./pattern.ts";
export * from "./ports.ts";
export { launch, type Printed, type Running, run } from "./process.ts";
export * from "./proxies.ts";
export {
  inside,
  lacks,
  lacksFile,
  missing,
  newerRoot,
  newerSshAuditFolder,
  nextRoot,
  noCompiler,
  program,
  type Requirement,
  sshdKnows,
} from "./requirements.ts";
export * from "./software-token.ts";
export * from "./ssh-client.ts";
export * from "./sshd.ts";
export * from "./targets.ts";
export * from "./temp-dir.ts";
export * from "./terminal.ts";
export { isThorough } from "./thorough.ts";
export * from "./token-agent.ts";
export * from "./tunnel.ts";
export * from "./unix-sockets.ts";
export * from "./verdicts.ts";
export * from "./visitor.ts";
export * from "./watch.ts";
export * from "./web-servers.ts";
