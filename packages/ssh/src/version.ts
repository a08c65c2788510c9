/** The version of the packages; a test holds it to package.json. @module */

/** One version for all packages. */
export const version = "0.1.0";

/** The software version in our identification line, RFC 4253 section 4.2. */
export const defaultSoftware: string = `Postern_${version}`;
