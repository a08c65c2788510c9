/** The date of this version, for the man page. A release sets it. @module */

export const releaseDate = "2026-11-27";
