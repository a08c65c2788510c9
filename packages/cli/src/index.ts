/** Types of the configuration files of `postern`. @module */
export type { CommandHelp, Example, OptionHelp } from "./help/command-help.ts";
export {
  defineTunnels,
  type ForwardConfig,
  type HostKeyConfig,
  type IdentityConfig,
  type JumpHostConfig,
  type LocalForwardConfig,
  type LocalListenConfig,
  type LoginConfig,
  type Secret,
  type ServiceConfig,
  type SshAliasConfig,
  type TargetConfig,
  type TunnelConfig,
  type TunnelsConfig,
} from "./up/config/types.ts";
