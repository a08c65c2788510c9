/** Values of settings, with the defaults of the keywords. @module */
import { keywordOf } from "./keywords.ts";
import type { Settings } from "./parse.ts";

/** The values of a keyword. */
export function wordsOf(settings: Settings, name: string): readonly string[] {
  const set = settings.get(name.toLowerCase());
  if (set !== undefined) return set;
  const keyword = keywordOf(name);
  if (keyword === undefined || typeof keyword === "string") throw new Error(`unknown keyword ${name}`);
  const { byDefault } = keyword;
  if (byDefault === undefined) return [];
  return keyword.form === "words" || name === "RekeyLimit" ? byDefault.split(" ") : [byDefault];
}

/** The only value of a keyword. */
export function textOf(settings: Settings, name: string): string {
  return wordsOf(settings, name)[0] ?? "";
}

/** The value of a keyword, or `undefined` if it is not set. */
export function givenValue(settings: Settings, name: string): string | undefined {
  return settings.get(name.toLowerCase())?.[0];
}

/** A file name; `undefined` for `none`. */
export function fileOf(settings: Settings, name: string): string | undefined {
  const value = textOf(settings, name);
  return value.toLowerCase() === "none" ? undefined : value;
}

export function isYes(settings: Settings, name: string): boolean {
  return textOf(settings, name) === "yes";
}

export function numberOf(settings: Settings, name: string): number {
  return Number(textOf(settings, name));
}
