/** Reads a Dockerfile, and finds what a reader should not copy. @module */
import { type Copy, DockerfileParser, type Instruction } from "dockerfile-ast";
import { validate } from "dockerfile-utils";

/** The image that a Dockerfile describes: its last stage. */
export interface Image {
  /** CMD, as arguments. */
  readonly command: readonly string[];
  /** The command of HEALTHCHECK, as arguments. */
  readonly healthCheck: readonly string[];
  /** ENV. */
  readonly env: Readonly<Record<string, string>>;
  /** The files that it copies from the folder of the Dockerfile. */
  readonly files: readonly string[];
  /** The paths that it copies from earlier stages. */
  readonly fromStages: readonly string[];
}

/** Reads the last stage. */
export function readImage(text: string): Image {
  const stage = lastStage(text);
  const copies = stage.filter((one) => one.getKeyword() === "COPY") as Copy[];
  const sourcesOf = (copy: Copy): string[] => argumentsOf(copy).slice(0, -1);
  return {
    command: execForm(argumentsText(stage, "CMD")) ?? [],
    healthCheck: execForm(argumentsText(stage, "HEALTHCHECK")) ?? [],
    env: Object.fromEntries(
      stage
        .filter((one) => one.getKeyword() === "ENV")
        .flatMap(argumentsOf)
        .map((one) => one.split("=", 2)),
    ),
    files: copies.filter((copy) => copy.getFromFlag() === null).flatMap(sourcesOf),
    fromStages: copies.filter((copy) => copy.getFromFlag() !== null).flatMap(sourcesOf),
  };
}

/** Returns the findings of dockerfile-utils, and ours about secrets, users, versions and signals. */
export function lintDockerfile(text: string): string[] {
  const all = DockerfileParser.parse(text).getInstructions();
  const called = (...names: string[]): Instruction[] => all.filter((one) => names.includes(one.getKeyword()));
  const stage = lastStage(text);
  const commands = stage.filter((one) => ["CMD", "ENTRYPOINT"].includes(one.getKeyword()));
  const stages = called("FROM").map((one) => argumentsOf(one)[2]);
  return [
    ...validate(text).map(({ message }) => (typeof message === "string" ? message : message.value)),
    ...called("FROM")
      .map((one) => argumentsOf(one)[0] ?? "")
      .filter((image) => !stages.includes(image) && !/:(?!latest$)[\w.-]+$|@sha256:/.test(image))
      .map((image) => `expected a tag of ${image} other than latest`),
    ...(/^(root|0)?(:|$)/.test(argumentsText(stage, "USER")) ? ["expected a USER other than root"] : []),
    ...(commands.length === 0 ? ["expected CMD"] : []),
    // Without brackets, a shell is the process 1, and the program receives no SIGTERM.
    ...[...commands, ...stage.filter((one) => one.getKeyword() === "HEALTHCHECK")]
      .filter((one) => execForm(one.getArgumentsContent() ?? "") === undefined)
      .map((one) => `expected ${one.getKeyword()} with brackets`),
    ...called("ADD").map(() => "expected COPY, got ADD"),
    ...called("COPY")
      .flatMap((one) => argumentsOf(one).slice(0, -1))
      .filter((source) => /^\.?\/?$|\*/.test(source))
      .map((source) => `expected COPY of named files, got ${source}`),
    // ARG and ENV remain in the history of the image.
    ...called("ARG", "ENV")
      .map((one) => argumentsOf(one)[0]?.split("=")[0] ?? "")
      .filter((name) => /KEY|SECRET|TOKEN|PASS|CREDENTIAL/i.test(name))
      .map((name) => `expected no secret in the image, got ${name}`),
  ];
}

function lastStage(text: string): readonly Instruction[] {
  const all = DockerfileParser.parse(text).getInstructions();
  return all.slice(all.findLastIndex((one) => one.getKeyword() === "FROM"));
}

function argumentsOf(instruction: Instruction): string[] {
  return instruction.getArguments().map((one) => one.getValue());
}

function argumentsText(stage: readonly Instruction[], keyword: string): string {
  return stage.findLast((one) => one.getKeyword() === keyword)?.getArgumentsContent() ?? "";
}

/** Returns the arguments of the form with brackets, `undefined` for the shell form. HEALTHCHECK has flags before it. */
function execForm(text: string): string[] | undefined {
  try {
    return JSON.parse(text.replace(/^.*?CMD /s, "")) as string[];
  } catch {
    return undefined;
  }
}
