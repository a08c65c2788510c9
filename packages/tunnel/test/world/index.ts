/** A tunnel, its network and its servers in one process, on a virtual clock. */
export * from "./clock.ts";
export * from "./rig.ts";
export * from "./tunnel.ts";
export * from "./world.ts";
