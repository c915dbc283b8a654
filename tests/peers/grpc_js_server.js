// pooltest.TestService on grpc-js, as far as the scenarios need it.
//
//     grpc_js_server.js MODULES PROTO [CHANNEL_OPTION=NUMBER]...
//
// MODULES is where npm installed its packages. Prints the port that the system chose, then one line of JSON with what
// it has seen for each line it reads. Ends with its input, and so with whoever started it.

const { createRequire } = require('node:module');
const path = require('node:path');
const readline = require('node:readline');

const [modules, proto, ...options] = process.argv.slice(2);
const load = createRequire(path.resolve(modules, 'package.json'));
const grpc = load('@grpc/grpc-js');
const { pooltest } = grpc.loadPackageDefinition(load('@grpc/proto-loader').loadSync(proto, { keepCase: true }));

// A connection is known by its client's port.
const open = new Map();
const seen = { calls: 0, connections: 0, most_streams: 0, cancelled: 0 };

function begin(call) {
  const peer = call.getPeer();
  if (!open.has(peer)) {
    open.set(peer, 0);
    seen.connections += 1;
  }
  seen.calls += 1;
  open.set(peer, open.get(peer) + 1);
  seen.most_streams = Math.max(seen.most_streams, open.get(peer));
  return peer;
}

function end(peer) {
  open.set(peer, open.get(peer) - 1);
}

function unary(call, callback) {
  const peer = begin(call);
  setTimeout(() => {
    end(peer);
    callback(null, { payload: call.request.payload, client: peer });
  }, call.request.script?.delay_ms ?? 0);
}

function bidi(call) {
  const peer = begin(call);
  call.on('data', (request) => call.write({ payload: request.payload }));
  call.on('end', () => {
    end(peer);
    call.end();
  });
  call.on('cancelled', () => {
    end(peer);
    seen.cancelled += 1;
  });
}

const channelOptions = Object.fromEntries(options.map((option) => option.split('=')).map(([k, v]) => [k, Number(v)]));
const server = new grpc.Server(channelOptions);
server.addService(pooltest.TestService.service, { Unary: unary, Bidi: bidi });
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});

readline
  .createInterface({ input: process.stdin })
  .on('line', () => console.log(JSON.stringify(seen)))
  .on('close', () => process.exit(0));
