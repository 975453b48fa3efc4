// A gateway written for Node: calls a daemon as its author would, and reads each answer by both usual readers.
//
//   node smoke.cjs PROTO_DIR call HOST:PORT < calls.json     calls: [{method, request, continues}], in order
//   node smoke.cjs PROTO_DIR read < answers.json             answers: serialized ExecutePostLoginResponses in Base64
//
// Prints a JSON array: for each, what `loader` and `tsProto` read, or `error` with its code and whether it has details.
// A call that `continues` is sent the continuation of the answer before it.
"use strict";

const { grpc, protoLoader, tsProto } = require("./clients.cjs");

const [protoDir, what, target] = process.argv.slice(2);
const definition = protoLoader.loadSync("vestibule/v1/runtime_service.proto", {
  enums: String,
  longs: String,
  defaults: true,
  oneofs: true,
  includeDirs: [protoDir],
});
const { ActionRuntimeService } = grpc.loadPackageDefinition(definition).vestibule.v1;

// The same object for the comparison of both readers: enumerations by number and name are told apart by their kind.
function both(method, bytes) {
  const name = method === "ContinuePostLogin" ? "ContinuePostLoginResponse" : "ExecutePostLoginResponse";
  return {
    loader: ActionRuntimeService.service[method].responseDeserialize(bytes),
    tsProto: tsProto[name].decode(bytes),
  };
}

function call(client, method, request) {
  const { path, requestSerialize } = ActionRuntimeService.service[method];
  return new Promise((resolve) => {
    const deadline = new Date(Date.now() + 20000);
    // The answer's bytes pass as they are, so that each reader reads the very same ones.
    client.makeUnaryRequest(path, requestSerialize, (bytes) => bytes, request, { deadline }, (error, bytes) => {
      if (error) {
        const details = error.metadata ? error.metadata.get("grpc-status-details-bin").length : 0;
        resolve({ error: { code: grpc.status[error.code], details, message: error.details } });
      } else {
        resolve(both(method, bytes));
      }
    });
  });
}

async function main() {
  const input = JSON.parse(require("fs").readFileSync(0, "utf8"));
  if (what === "read") {
    return input.map((text) => both("ExecutePostLogin", Buffer.from(text, "base64")));
  }
  const client = new grpc.Client(target, grpc.credentials.createInsecure());
  const answers = [];
  for (const { method, request, continues } of input) {
    if (continues) {
      request.continuation = answers[answers.length - 1].loader.decision.suspension.continuation;
    }
    answers.push(await call(client, method, request));
  }
  client.close();
  return answers;
}

main().then((answers) => process.stdout.write(JSON.stringify(answers)));
