// Adds a bearer token to every request on its way to `casemate serve --http`, and changes nothing else: bearer.mjs URL
//
// The conformance suite has no way to send one, and Casemate serves nobody without. The token is in CASEMATE_TOKEN. The address is
// printed as `forwarding http://…`.

import { createServer, request } from "node:http";

const target = new URL(process.argv[2]);
const authorization = `Bearer ${process.env.CASEMATE_TOKEN}`;

const server = createServer((incoming, outgoing) => {
  // `Host` and `Origin` as they came: the suite checks that they are checked.
  const headers = [...incoming.rawHeaders, "Authorization", authorization];
  const onward = request({ host: target.hostname, port: target.port, path: incoming.url, method: incoming.method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders);
    // An event stream has to begin before its first event.
    outgoing.flushHeaders();
    answer.pipe(outgoing);
  });
  onward.on("error", () => outgoing.destroy());
  // A client that hangs up wants its call stopped.
  outgoing.on("close", () => onward.destroy());
  incoming.pipe(onward);
});
server.listen(0, "127.0.0.1", () => console.log(`forwarding http://127.0.0.1:${server.address().port}${target.pathname}`));
