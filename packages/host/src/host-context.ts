/** The services of the TunnelHost that the files of a client share. @module */
import type { Admission } from "./admission.ts";
import type { CheckedHostOptions } from "./options.ts";
import type { HostPlatform } from "./platform.ts";

/** The services of the TunnelHost that a client uses. */
export interface HostContext {
  readonly options: CheckedHostOptions;
  readonly platform: HostPlatform;
  readonly admission: Admission;
  emit(event: Event): void;
}
