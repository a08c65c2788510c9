/** Messages 50 to 79, in the order of RFC 4252 and RFC 4256. @module */
import {
  boolean,
  type Codec,
  counted,
  type Field,
  message,
  nameList,
  optionalText,
  record,
  rest,
  string,
  text,
} from "../codec.ts";

/** RFC 4252 section 5 */
export const UserauthRequest = message(50, "USERAUTH_REQUEST", {
  user: text,
  service: text,
  method: text,
  specificData: rest,
});
/** RFC 4252 section 5.1 */
export const UserauthFailure = message(51, "USERAUTH_FAILURE", { canContinue: nameList, partialSuccess: boolean });
/** RFC 4252 section 5.1 */
export const UserauthSuccess = message(52, "USERAUTH_SUCCESS", {});
/** RFC 4252 section 5.4 */
export const UserauthBanner = message(53, "USERAUTH_BANNER", { message: text, language: optionalText });

// The messages of each method are marked pure, so that bundles without the method omit them.

/** RFC 4252 section 7: the method-specific part of a query whether a key is acceptable */
export const PublickeyQuery = /* @__PURE__ */ record("publickey query", {
  hasSignature: boolean,
  algorithm: text,
  publicKey: string,
});
/** RFC 4252 section 7: the method-specific part with a signature */
export const PublickeyProof = /* @__PURE__ */ record("publickey request", {
  hasSignature: boolean,
  algorithm: text,
  publicKey: string,
  signature: string,
});
/** OpenSSH PROTOCOL, section on publickey-hostbound: the method that signs the server's host key, too. */
export const HOSTBOUND_METHOD = "publickey-hostbound-v00@openssh.com";
/** OpenSSH PROTOCOL: the method-specific part of a query by {@link HOSTBOUND_METHOD}, which is also what it signs */
export const HostboundQuery = /* @__PURE__ */ record("publickey-hostbound query", {
  hasSignature: boolean,
  algorithm: text,
  publicKey: string,
  hostKey: string,
});
/** OpenSSH PROTOCOL: the method-specific part with a signature */
export const HostboundProof = /* @__PURE__ */ record("publickey-hostbound request", {
  hasSignature: boolean,
  algorithm: text,
  publicKey: string,
  hostKey: string,
  signature: string,
});
/** RFC 4252 section 7 */
export const UserauthPkOk = /* @__PURE__ */ message(60, "USERAUTH_PK_OK", { algorithm: text, publicKey: string });

/** RFC 4252 section 8: the method-specific part */
export const PasswordRequest = /* @__PURE__ */ record("password request", { isChange: boolean, password: text });
/** RFC 4252 section 8: the method-specific part of a password change */
export const PasswordChange = /* @__PURE__ */ record("password change", {
  isChange: boolean,
  oldPassword: text,
  newPassword: text,
});
/** RFC 4252 section 8 */
export const UserauthPasswdChangereq = /* @__PURE__ */ message(60, "USERAUTH_PASSWD_CHANGEREQ", {
  prompt: text,
  language: optionalText,
});

/** RFC 4256 section 3.1: the method-specific part */
export const KeyboardInteractiveRequest: Codec<{ readonly language: string; readonly submethods: string }> =
  /* @__PURE__ */ record("keyboard-interactive request", { language: text, submethods: text });

/** A prompt of a keyboard-interactive request (RFC 4256 section 3.2). */
export interface Prompt {
  readonly prompt: string;
  readonly echo: boolean;
}

const maxPrompts = 64;
const prompt: Field<Prompt> = {
  read: (reader) => ({ prompt: reader.text(), echo: reader.boolean() }),
  write: (writer, value) => writer.text(value.prompt).boolean(value.echo),
};
/** RFC 4256 section 3.2 */
export const UserauthInfoRequest = /* @__PURE__ */ message(60, "USERAUTH_INFO_REQUEST", {
  name: text,
  instruction: text,
  language: optionalText,
  prompts: /* @__PURE__ */ counted(prompt, maxPrompts, "prompts"),
});
/** RFC 4256 section 3.4 */
export const UserauthInfoResponse = /* @__PURE__ */ message(61, "USERAUTH_INFO_RESPONSE", {
  responses: /* @__PURE__ */ counted(text, maxPrompts, "prompts"),
});
