/** Node.js alone: what every client in JavaScript starts from. @module */
setInterval(() => undefined, 60_000);
