/** Node.js alone: the baseline of every client in JavaScript. @module */
setInterval(() => undefined, 60_000);
