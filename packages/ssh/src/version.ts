/** The version of the packages; a test compares it with package.json. @module */

/** The version of all Postern packages. */
export const version = "0.1.0";

/** The default software version in our identification line (RFC 4253 section 4.2). */
export const defaultSoftware: string = `Postern_${version}`;
