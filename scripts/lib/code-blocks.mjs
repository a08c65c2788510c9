/** The code blocks of Markdown pages, and what they claim to print. @module */

/**
 * Returns the fenced blocks of a page in one of the languages, with the number of their first line.
 * @param {string} page
 * @param {readonly string[]} languages
 * @returns {{ code: string, language: string, line: number }[]}
 */
export function codeBlocks(page, languages) {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .map(({ 1: language, 2: code, index }) => ({ code, language, line: page.slice(0, index).split("\n").length + 1 }))
    .filter(({ language }) => languages.includes(language));
}

/**
 * Returns the lines that a program claims to print, one for each comment `// prints …`.
 * @param {string} code
 */
export function claimedOutput(code) {
  return [...code.matchAll(/\/\/ prints (.*)$/gm)].map(([, text]) => text);
}
