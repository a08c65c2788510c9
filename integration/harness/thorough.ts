/** How long the tests may take. @module */

/** Whether the long variants of tests run, as in `npm run test:all`. */
export const isThorough: boolean = process.env.POSTERN_TESTS === "all";
