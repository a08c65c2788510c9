/** Reads private keys from JSON Web Keys (RFC 7517; RFC 7518 section 6; RFC 8037 section 2). @module */
import { nistp256, nistp384, nistp521 } from "@postern/crypto";
import { type Bytes, fromBase64, Writer } from "@postern/wire";
import type { AnyPair } from "../key-pair.ts";
import type { PublicHalf } from "../key-types.ts";
import { damaged, unsupported } from "./failures.ts";
import { ecdsaPair, ed25519Pair, rsaPair } from "./pairs.ts";

const curves = { "P-256": nistp256, "P-384": nistp384, "P-521": nistp521 } as const;

/** @throws SshError `key` if the text is not JSON, or a field is missing or malformed */
export function readJwk(text: string, publicHalf: PublicHalf): AnyPair {
  const jwk = parse(text);
  const { kty, crv } = jwk;
  const field = (name: string): Bytes => {
    const value = jwk[name];
    if (typeof value !== "string" || !/^[A-Za-z0-9_-]*$/.test(value)) throw damaged("JWK");
    return fromBase64(value.replaceAll("-", "+").replaceAll("_", "/"));
  };
  if (kty === "RSA") {
    const numbers = {
      modulus: field("n"),
      exponent: field("e"),
      privateExponent: field("d"),
      prime1: field("p"),
      prime2: field("q"),
      exponent1: field("dp"),
      exponent2: field("dq"),
      coefficient: field("qi"),
    };
    return rsaPair(numbers, publicHalf);
  }
  if (kty === "OKP" && crv === "Ed25519") return ed25519Pair(field("d"), field("x"), publicHalf);
  if (kty === "EC" && (crv === "P-256" || crv === "P-384" || crv === "P-521")) {
    const point = new Writer(256).byte(4).raw(field("x")).raw(field("y")).finish();
    return ecdsaPair(curves[crv], field("d"), point, publicHalf);
  }
  throw unsupported("a JWK of another type; Postern reads Ed25519, P-256, P-384, P-521 and RSA");
}

type Fields = Readonly<Record<string, unknown>> & { readonly kty?: unknown; readonly crv?: unknown };

function parse(text: string): Fields {
  try {
    // An object, because the text begins with a brace.
    return JSON.parse(text.trim()) as Fields;
  } catch {
    // The message of JSON.parse quotes the text.
    throw damaged("JWK");
  }
}
