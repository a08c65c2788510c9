/** The date of this version, which the man page shows. A release sets it. @module */

export const releaseDate = "2026-11-27";
