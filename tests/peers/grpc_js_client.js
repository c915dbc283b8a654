// A grpc-js client of pooltest.TestService, to compare the pool's hedging with, which grpcio has not.
//
//     grpc_js_client.js MODULES PROTO PORT
//
// Reads cases, one JSON object in a line: {"config": service config, "calls": [TestRequest in JSON, ...]}. Makes the
// calls of each one after the other on a channel of its own, and prints the list of their status codes.

const { createRequire } = require('node:module');
const path = require('node:path');
const readline = require('node:readline');
const { promisify } = require('node:util');

const [modules, proto, port] = process.argv.slice(2);
const load = createRequire(path.resolve(modules, 'package.json'));
const grpc = load('@grpc/grpc-js');
const { pooltest } = grpc.loadPackageDefinition(load('@grpc/proto-loader').loadSync(proto, { keepCase: true }));

const DEADLINE_MS = 10_000;

function call(client, request) {
  const options = { deadline: Date.now() + DEADLINE_MS };
  return new Promise((resolve) => client.Unary(request, options, (error) => resolve(error ? error.code : 0)));
}

async function play({ config, calls }) {
  const options = { 'grpc.service_config': JSON.stringify(config) };
  const client = new pooltest.TestService(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), options);
  // Connected first: what is compared is calls.
  const ready = promisify(client.waitForReady.bind(client));
  await ready(Date.now() + DEADLINE_MS);
  const codes = [];
  for (const request of calls) codes.push(await call(client, request));
  client.close();
  return codes;
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await play(JSON.parse(line))));
  }
})();
