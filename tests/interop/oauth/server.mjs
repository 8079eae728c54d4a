// oidc-provider as an operator's authorization server: client credentials, JWTs for the resource that is asked for. server.mjs NODE
//
// The first line on standard output is `{"issuer": …}`. `POST /_keys?kid=…` makes new keys with names that begin so; the same as before is
// a swap. Ends when its input does.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const { Provider } = await import(pathToFileURL(`${process.argv[2]}/node_modules/oidc-provider/lib/index.js`));

const KINDS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519", {}],
};

function keys(kid) {
  return Object.entries(KINDS).map(([alg, [type, options]]) => {
    const { privateKey } = generateKeyPairSync(type, options);
    return { ...privateKey.export({ format: "jwk" }), alg, use: "sig", kid: `${kid}-${alg}` };
  });
}

// The client's name says how its tokens are signed, and how long they last.
const clients = [...Object.keys(KINDS), "brief"].map((name) => ({
  client_id: `robot-${name}`,
  client_secret: `interop-secret-of-robot-${name}`,
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  scope: "casemate casemate.write",
}));

function provider(issuer, kid) {
  return new Provider(issuer, {
    clients,
    jwks: { keys: keys(kid) },
    scopes: ["casemate", "casemate.write"],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource, client) => {
          const name = client.clientId.slice("robot-".length);
          const alg = KINDS[name] ? name : "ES256";
          return {
            scope: "casemate casemate.write",
            audience: resource,
            accessTokenTTL: name === "brief" ? 1 : 300,
            accessTokenFormat: "jwt",
            jwt: { sign: { alg } },
          };
        },
      },
    },
  });
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let answer = provider(issuer, "first").callback();
  server.on("request", (request, response) => {
    const url = new URL(request.url, issuer);
    if (request.method === "POST" && url.pathname === "/_keys") {
      answer = provider(issuer, url.searchParams.get("kid")).callback();
      response.end("{}");
    } else {
      answer(request, response);
    }
  });
  console.log(JSON.stringify({ issuer }));
});
process.stdin.resume().on("end", () => process.exit(0));
