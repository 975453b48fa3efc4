// Calls what is in @vestibule/client as a gateway does, and its parts as a unit test does. APP is a folder where the package
// is installed; what to do comes as JSON on standard input, and what came of it goes as JSON to standard output.
//
//   node client.cjs APP read    [decision in Base64]                       the next step of each
//   node client.cjs APP walk    [{heard, retries, attemptTakesS}]          what is attempted, on a clock of its own
//   node client.cjs APP ask     {target, options, calls: [[method, ...]]}  what each call gives
"use strict";

const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const [app, what] = process.argv.slice(2);
const client = require(join(app, "node_modules/@vestibule/client"));
const { attempted, RETRIES } = require(join(app, "node_modules/@vestibule/client/dist/attempts.js"));

async function walk({ heard, retries }) {
  let now = 0;
  const steps = [];
  const clock = {
    now: () => now,
    jitter: () => 1,
    sleep: async (seconds) => {
      steps.push(["pause", seconds]);
      now += seconds;
    },
  };
  const attempt = async (timeoutS) => {
    steps.push(["attempt", timeoutS]);
    const next = heard.shift();
    if (next === "yes") {
      return { response: "yes" };
    }
    now += next.status === "DEADLINE_EXCEEDED" ? timeoutS : 0;
    return { failure: { message: "", reason: "", facts: {}, fields: {}, ...next } };
  };
  try {
    return { steps, end: await attempted(attempt, { ...RETRIES, ...retries }, 5, clock) };
  } catch (error) {
    return { steps, end: error.name, attempts: error.attempts };
  }
}

async function ask({ target, options, calls }) {
  const lines = [];
  const vestibule = new client.Client(target, { ...options, log: (line) => lines.push(line) });
  const found = [];
  for (const [method, ...args] of calls) {
    try {
      const { step, requestId, error } = await vestibule[method](...args);
      found.push({ step, requestId, error: error && { name: error.name, ...error.failure } });
    } catch (error) {
      found.push({ thrown: error.name, message: error.message, attempts: error.attempts });
    }
  }
  vestibule.close();
  return { found, lines };
}

async function main() {
  const input = JSON.parse(readFileSync(0, "utf8"));
  switch (what) {
    case "read":
      return input.map((text) => client.nextStep(client.Decision.decode(Buffer.from(text, "base64"))));
    case "walk":
      return Promise.all(input.map(walk));
    default:
      try {
        return await ask(input);
      } catch (error) {
        return { thrown: error.name, message: error.message };
      }
  }
}

main().then((found) =>
  process.stdout.write(
    JSON.stringify(found, (_, value) => (value?.type === "Buffer" ? Buffer.from(value.data).toString("base64") : value)),
  ),
);
