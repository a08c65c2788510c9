/** Reads ssh configurations. One module, so that the build makes one file that is loaded at the first call. @module */
export { createFromSshConfig } from "./from-ssh-config.ts";
export { nodeParts } from "./node-parts.ts";
export { resolveConfig } from "./resolve.ts";
