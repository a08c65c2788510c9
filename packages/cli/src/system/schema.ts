/** Checks values by a JSON Schema. Knows the few keywords that our configuration files need. @module */
import { describeType, quote } from "@postern/wire";

/** The part of JSON Schema (draft 2020-12) that {@link readBySchema} knows. */
export interface Schema {
  /** a definition of the root: `#/$defs/…` */
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: "object" | "array" | "string" | "number" | "integer" | "boolean";
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  /** `false`, or the schema of all properties that `properties` does not name */
  readonly additionalProperties?: false | Schema;
  readonly propertyNames?: { readonly pattern: string };
  readonly minProperties?: number;
  readonly maxProperties?: number;
  /** Exactly one of them has all its properties. */
  readonly oneOf?: readonly { readonly required: readonly string[] }[];
  /** Alternatives that differ in their type, in a `const` property or in the first required property. */
  readonly anyOf?: readonly Schema[];
}

/** A schema with the definitions that its parts refer to. */
export interface RootSchema extends Schema {
  readonly $defs: Readonly<Record<string, Schema>>;
}

/** Functions by the name of a definition. Each gets a text that matches the definition, and returns its replacement. */
export type Replacements = Readonly<Record<string, (text: string, path: string) => string>>;

/** A value does not match the schema. The message has its path, but no texts, which may be secrets. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Returns a copy of a value that matches the schema.
 *
 * @throws ConfigError with the path of the first mismatch, the expected value and the actual one
 */
export function readBySchema(root: RootSchema, value: unknown, replacements: Replacements = {}): unknown {
  return read({ root, replacements }, root, value, "");
}

interface Context {
  readonly root: RootSchema;
  readonly replacements: Replacements;
}

function read(context: Context, given: Schema, value: unknown, path: string): unknown {
  const name = /^#\/\$defs\/(.+)$/.exec(given.$ref ?? "")?.[1];
  const schema = name === undefined ? given : (context.root.$defs[name] as Schema);
  const { type, anyOf } = schema;
  if (anyOf !== undefined) return read(context, choose(context, anyOf, value, path), value, path);
  if (type !== undefined && !hasType(value, type)) throw mismatch(path, nameOfType(type), describe(value));
  if (schema.const !== undefined && value !== schema.const)
    throw mismatch(path, JSON.stringify(schema.const), shown(value));
  if (schema.enum !== undefined && !schema.enum.includes(value as string))
    throw mismatch(path, schema.enum.map((one) => quote(one)).join(" or "), shown(value));
  switch (type) {
    case "string": {
      checkText(schema, value as string, path);
      const replace = name === undefined ? undefined : context.replacements[name];
      return replace === undefined ? value : replace(value as string, path);
    }
    case "number":
    case "integer":
      checkNumber(schema, value as number, path);
      return value;
    case "array":
      return readList(context, schema, value as readonly unknown[], path);
    case "object":
      return readObject(context, schema, value as Readonly<Record<string, unknown>>, path);
    default:
      return value;
  }
}

function checkText({ minLength = 0, maxLength = Infinity, pattern }: Schema, value: string, path: string): void {
  if (value.length < minLength) throw mismatch(path, "a text that is not empty", "an empty one");
  if (value.length > maxLength) throw mismatch(path, `at most ${maxLength} characters`, String(value.length));
  if (pattern !== undefined && !new RegExp(pattern, "u").test(value))
    throw mismatch(path, `a text like ${pattern}`, "another");
}

function checkNumber({ minimum = -Infinity, maximum = Infinity }: Schema, value: number, path: string): void {
  if (value >= minimum && value <= maximum) return;
  const range = maximum === Infinity ? `at least ${minimum}` : `from ${minimum} to ${maximum}`;
  throw mismatch(path, `a number ${range}`, String(value));
}

function readList(context: Context, schema: Schema, value: readonly unknown[], path: string): unknown {
  const { items = {}, minItems = 0, maxItems = Infinity } = schema;
  if (value.length < minItems) throw mismatch(path, `at least ${minItems} entries`, String(value.length));
  if (value.length > maxItems) throw mismatch(path, `at most ${maxItems} entries`, String(value.length));
  return value.map((entry, index) => read(context, items, entry, `${path}[${index}]`));
}

function readObject(
  context: Context,
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  path: string,
): Record<string, unknown> {
  const { properties = {}, additionalProperties = false, propertyNames, required = [], oneOf } = schema;
  const { minProperties = 0, maxProperties = Infinity } = schema;
  // An option that a module leaves undefined is absent, as in JSON.
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  const has = (name: string): boolean => entries.some(([own]) => own === name);
  if (entries.length < minProperties) throw mismatch(path, `at least ${minProperties} entries`, String(entries.length));
  if (entries.length > maxProperties) throw mismatch(path, `at most ${maxProperties} entries`, String(entries.length));
  const result: [string, unknown][] = [];
  for (const [name, one] of entries) {
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (own === undefined && additionalProperties === false) {
      const known = Object.keys(properties).join(", ");
      throw new ConfigError(`expected ${path === "" ? "the file" : path} to have ${known}, got ${quote(name, 80)}`);
    }
    if (propertyNames !== undefined && !new RegExp(propertyNames.pattern, "u").test(name))
      throw new ConfigError(
        `expected the names in ${path} to be like ${propertyNames.pattern}, got ${quote(name, 80)}`,
      );
    const at = path === "" ? name : `${path}.${name}`;
    result.push([name, read(context, own ?? (additionalProperties as Schema), one, at)]);
  }
  for (const name of required) if (!has(name)) throw mismatch(path === "" ? name : `${path}.${name}`, "set", "nothing");
  if (oneOf !== undefined) {
    const met = oneOf.filter((one) => one.required.every(has));
    const names = (list: typeof oneOf): string => list.map((one) => one.required.join(" and ")).join(", ");
    if (met.length !== 1) throw mismatch(path, `an object with one of ${names(oneOf)}`, names(met) || "none of them");
  }
  return Object.fromEntries(result);
}

/** Returns the alternative that the value is meant to match, so that an error is about that one. */
function choose(context: Context, anyOf: readonly Schema[], value: unknown, path: string): Schema {
  const resolved = (schema: Schema): Schema =>
    context.root.$defs[schema.$ref?.slice("#/$defs/".length) ?? ""] ?? schema;
  const typed = anyOf.filter((one) => hasType(value, resolved(one).type));
  const [first, ...others] = typed;
  if (first === undefined) {
    const types = [...new Set(anyOf.map((one) => nameOfType(resolved(one).type)))];
    throw mismatch(path, types.join(" or "), describe(value));
  }
  if (others.length === 0) return first;
  const object = value as Readonly<Record<string, unknown>>;
  const chosen = typed.find((one) => {
    const { properties = {}, required: [key = ""] = [] } = resolved(one);
    const wanted = properties[key]?.const;
    return wanted === undefined ? object[key] !== undefined : object[key] === wanted;
  });
  if (chosen !== undefined) return chosen;
  const names = typed.map((one) => {
    const { properties = {}, required: [key = ""] = [] } = resolved(one);
    const wanted = properties[key]?.const;
    return wanted === undefined ? key : `${key} ${JSON.stringify(wanted)}`;
  });
  throw mismatch(path, `an object with ${names.join(" or ")}`, "another");
}

function hasType(value: unknown, type: Schema["type"]): boolean {
  switch (type) {
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "number":
      return Number.isFinite(value);
    case undefined:
      return true;
    default:
      return typeof value === type;
  }
}

const typeNames = { object: "an object", array: "a list", string: "a text", number: "a number" } as const;

function nameOfType(type: Schema["type"] = "object"): string {
  if (type === "integer") return "a whole number";
  return type === "boolean" ? "true or false" : typeNames[type];
}

/** A text may be a secret in the wrong place. */
function describe(value: unknown): string {
  if (typeof value === "string") return "a text";
  if (Array.isArray(value)) return "a list";
  return typeof value === "number" || typeof value === "boolean" ? String(value) : describeType(value);
}

function shown(value: unknown): string {
  return typeof value === "string" ? quote(value, 40) : describe(value);
}

function mismatch(path: string, expected: string, got: string): ConfigError {
  return new ConfigError(`expected ${path === "" ? "the file" : path} to be ${expected}, got ${got}`);
}
