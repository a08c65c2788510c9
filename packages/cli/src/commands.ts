/** All commands, in the order in which the help lists them. @module */
import { completionHelp } from "./completion/help.ts";
import { fingerprintHelp } from "./fingerprint/help.ts";
import type { Command, CommandHelp } from "./help/command-help.ts";
import { helpHelp } from "./help/help-help.ts";
import { manHelp } from "./help/man-help.ts";
import { hostHelp } from "./host/help.ts";
import { keygenHelp } from "./keygen/help.ts";
import { serviceHelp } from "./service/help.ts";
import { sshHelp } from "./ssh/help.ts";
import { downHelp, statusHelp, upHelp } from "./up/help.ts";

/** The commands by what follows `postern`. Anything else is a destination. */
export const commands: readonly Command[] = [
  { help: sshHelp, load: async () => (await import("./ssh/run.ts")).runSsh },
  { help: upHelp, load: async () => (await import("./up/run-up.ts")).runUp },
  { help: statusHelp, load: async () => (await import("./up/run-status.ts")).runStatus },
  { help: downHelp, load: async () => (await import("./up/run-status.ts")).runDown },
  { help: hostHelp, load: async () => (await import("./host/run.ts")).runHost },
  {
    help: keygenHelp,
    load: async () => {
      const { runKeygen } = await import("./keygen/keygen.ts");
      return (args) => runKeygen(keygenHelp, args);
    },
  },
  {
    help: fingerprintHelp,
    load: async () => {
      const { runFingerprint } = await import("./fingerprint/fingerprint.ts");
      return (args) => runFingerprint(fingerprintHelp, args);
    },
  },
  {
    help: serviceHelp,
    load: async () => {
      const { runService } = await import("./service/service.ts");
      return (args) => runService(serviceHelp, args);
    },
  },
  {
    help: helpHelp,
    load: async () => {
      const { runHelp } = await import("./help/help.ts");
      return (args) => runHelp(helpHelp, args, descriptions());
    },
  },
  {
    help: completionHelp,
    load: async () => {
      const { runCompletion } = await import("./completion/completion.ts");
      return (args) => runCompletion(completionHelp, args, descriptions());
    },
  },
  {
    help: manHelp,
    load: async () => {
      const { runMan } = await import("./help/man.ts");
      return (args) => runMan(manHelp, args, descriptions());
    },
  },
];

/** Returns the descriptions of all commands. */
export function descriptions(): readonly CommandHelp[] {
  return commands.map(({ help }) => help);
}
