/**
 * The version and its date. A release sets both. The version is not that of `@postern/ssh`, because `postern -V` would
 * load that package.
 * @module
 */

export const releaseVersion = "0.1.0";

export const releaseDate = "2026-11-27";
