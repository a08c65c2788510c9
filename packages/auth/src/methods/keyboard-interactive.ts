/** The login method `keyboard-interactive`, RFC 4256. @module */
import {
  describeType,
  expectType,
  isThenable,
  KeyboardInteractiveRequest,
  type Prompt,
  SshError,
  sanitizeText,
  UserauthInfoRequest,
  UserauthInfoResponse,
  UserauthRequest,
} from "@postern/wire";
import { type AuthContext, type AuthMethod, CONNECTION_SERVICE, type MaybePromise } from "../dialog.ts";

/**
 * A request of the server for answers (RFC 4256 section 3.2). All texts come from the network. Control characters are
 * escaped (section 3.3), except line ends and tabs in the instruction and the prompts.
 */
export interface InteractiveRequest {
  /** a title, often empty */
  readonly name: string;
  /** a text to show before the prompts, often empty */
  readonly instruction: string;
  /** the questions; if `echo` is `false`, do not show the typed answer */
  readonly prompts: readonly Prompt[];
}

/**
 * Logs in by answering the server's prompts. Servers with PAM ask for the password this way. `answer` returns one
 * string for each prompt. A request without prompts is an announcement, and its result is ignored. The server may send
 * several requests, 64 at most. `context.signal` aborts when the login is given up, for example by its timeout.
 *
 * @throws SshError `misuse` if `answer` is not a function. The method fails with `misuse` if `answer` does not return
 *   one string for each prompt.
 * @example
 * const auth = [keyboardInteractive(({ prompts }) => prompts.map(() => "secret"))];
 */
export function keyboardInteractive(
  answer: (request: InteractiveRequest, context: AuthContext) => MaybePromise<readonly string[]>,
): AuthMethod {
  expectType("answer", answer, "function");
  return {
    name: "keyboard-interactive",
    begin: (context) => ({
      next(payload) {
        if (payload === undefined) {
          const { user } = context;
          const specificData = KeyboardInteractiveRequest.encode({ language: "", submethods: "" });
          return UserauthRequest.encode({
            user,
            service: CONNECTION_SERVICE,
            method: "keyboard-interactive",
            specificData,
          });
        }
        const request = UserauthInfoRequest.decode(payload);
        const name = sanitizeText(request.name);
        const instruction = sanitizeText(request.instruction, true);
        const prompts = request.prompts.map(({ prompt, echo }) => ({ prompt: sanitizeText(prompt, true), echo }));
        if (prompts.length === 0 && name === "" && instruction === "") return respond(prompts, []);
        const responses = answer({ name, instruction, prompts }, context);
        return isThenable(Object(responses))
          ? Promise.resolve(responses).then((given) => respond(prompts, given))
          : respond(prompts, responses as readonly string[]);
      },
    }),
  };
}

function respond(prompts: readonly Prompt[], responses: readonly string[]): Uint8Array {
  if (prompts.length === 0) return UserauthInfoResponse.encode({ responses: [] });
  if (!Array.isArray(responses))
    throw new SshError("misuse", `expected a list of answers, got ${describeType(responses)}`);
  for (const response of responses) expectType("an answer", response, "string");
  if (responses.length !== prompts.length) {
    throw new SshError("misuse", `expected ${prompts.length} answers, one for each prompt, got ${responses.length}`);
  }
  return UserauthInfoResponse.encode({ responses });
}
