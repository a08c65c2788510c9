/** The description of `postern completion`. @module */
import type { CommandHelp } from "../help/command-help.ts";

/** The shells for which there is a script. */
export const shells = ["bash", "zsh", "fish"] as const;

export const completionHelp: CommandHelp = {
  name: "completion",
  summary: "prints a script that completes command lines in a shell",
  synopsis: [shells.join("|")],
  description: [
    "The script completes commands, options, files and host names. It finds host names in ~/.ssh/config and in the " +
      "known_hosts files, and does not start postern.",
  ],
  options: [],
  examples: [
    { text: "In ~/.bashrc:", command: 'eval "$(postern completion bash)"' },
    { text: "In ~/.zshrc, after compinit:", command: "source <(postern completion zsh)" },
    { text: "For fish, once:", command: "postern completion fish > ~/.config/fish/completions/postern.fish" },
  ],
  completes: [shells],
};
