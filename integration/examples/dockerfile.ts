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
    healthCheck: execForm(argumentsText(stage, "HEALTHCHECK").replace(/^.*?CMD /s, "")) ?? [],
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
  const stage = lastStage(text);
  const keywords = (name: string): readonly Instruction[] => all.filter((one) => one.getKeyword() === name);
  const user = stage.findLast((one) => one.getKeyword() === "USER");
  const stages = keywords("FROM").flatMap((one) => /\bAS (\S+)$/i.exec(one.getArgumentsContent() ?? "")?.[1] ?? []);
  return [
    ...validate(text).map(({ message }) => String(message)),
    ...keywords("FROM")
      .map((one) => argumentsOf(one)[0] ?? "")
      .filter((image) => !stages.includes(image) && !/:(?!latest$)[\w.-]+$|@sha256:/.test(image))
      .map((image) => `expected a tag of ${image} other than latest`),
    ...(/^(root|0)?(:|$)/.test(user?.getArgumentsContent() ?? "") ? ["expected a USER other than root"] : []),
    // Without brackets, a shell is the process 1, and the program receives no SIGTERM.
    ...["CMD", "ENTRYPOINT", "HEALTHCHECK"]
      .flatMap((name) => stage.filter((one) => one.getKeyword() === name))
      .filter((one) => execForm((one.getArgumentsContent() ?? "").replace(/^.*?CMD /s, "")) === undefined)
      .map((one) => `expected ${one.getKeyword()} with brackets`),
    ...(stage.some((one) => /^(CMD|ENTRYPOINT)$/.test(one.getKeyword())) ? [] : ["expected CMD"]),
    ...keywords("ADD").map(() => "expected COPY, got ADD"),
    ...keywords("COPY")
      .filter((one) =>
        argumentsOf(one)
          .slice(0, -1)
          .some((source) => /^\.?\/?$|\*/.test(source)),
      )
      .map(() => "expected COPY of named files, got a folder with all that it may contain"),
    // ARG and ENV remain in the history of the image.
    ...[...keywords("ARG"), ...keywords("ENV")]
      .flatMap(argumentsOf)
      .filter((one) => /KEY|SECRET|TOKEN|PASS|CREDENTIAL/i.test(one.split("=")[0] ?? ""))
      .map((one) => `expected no secret in the image, got ${one.split("=")[0]}`),
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

/** Returns the arguments of the form with brackets, `undefined` for the shell form. */
function execForm(text: string): string[] | undefined {
  try {
    return JSON.parse(text) as string[];
  } catch {
    return undefined;
  }
}
