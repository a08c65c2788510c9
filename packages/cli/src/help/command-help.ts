/** The description of a command. Help, man page, shell completion and the documentation are made from it. @module */

/** An option of a command. */
export interface OptionHelp {
  /** one letter, without the dash */
  readonly short?: string;
  /** without the dashes */
  readonly long?: string;
  /** the name of the argument, such as `file`; options without it are switches */
  readonly argument?: string;
  /** the option may be given several times */
  readonly repeats?: boolean;
  /** one or more sentences */
  readonly text: string;
  /** what shells offer for the argument */
  readonly completes?: Completes;
}

/** The completions of a word: names of files, folders or hosts, names of commands, or these words. */
export type Completes = "file" | "folder" | "host" | "command" | readonly string[];

/** A command line that a reader can copy. */
export interface Example {
  readonly text: string;
  readonly command: string;
}

/** The description of a command. */
export interface CommandHelp {
  /** the word after `postern`; empty for the command that connects as ssh does */
  readonly name: string;
  /** one line, without a full stop */
  readonly summary: string;
  /** what follows `postern` and the name, one line for each form */
  readonly synopsis: readonly string[];
  /** paragraphs */
  readonly description: readonly string[];
  readonly options: readonly OptionHelp[];
  readonly examples: readonly Example[];
  /** what shells offer for each word that is not an option; the last one is for all further words */
  readonly completes?: readonly Completes[];
  /** further parts of the man page, such as `exit status` */
  readonly sections?: readonly { readonly title: string; readonly paragraphs: readonly string[] }[];
}

/** A command: its description, and the module that runs it, which is loaded when it is needed. */
export interface Command {
  readonly help: CommandHelp;
  readonly load: () => Promise<RunCommand>;
}

/** Runs a command with the arguments after its name. Resolves with the exit status of the process. */
export type RunCommand = (args: readonly string[]) => Promise<number>;
