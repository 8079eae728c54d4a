// The TypeScript SDK as a client of `casemate serve`, both major versions:
//
//     typescript.mjs NODE_MODULES v1|v2 legacy|auto|pinned CHANGE http URL     the token in CASEMATE_TOKEN
//     typescript.mjs NODE_MODULES v1|v2 legacy|auto|pinned CHANGE stdio COMMAND…
//
// CHANGE is the program that changes the tool list. The last line is the sum.

import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { Card, session } from "./card.mjs";

const [modules, sdk, mode, change, transport, ...where] = process.argv.slice(2);
const require = createRequire(resolve(modules, "from-here.js"));
const from = (name) => import(pathToFileURL(require.resolve(name)));
const modern = mode !== "legacy";
const IDENTITY = { name: "casemate-interop", version: "1" };
const TIMEOUT = { timeout: 20_000 };

function connection({ StreamableHTTPClientTransport, StdioClientTransport }) {
  if (transport === "http") {
    return new StreamableHTTPClientTransport(new URL(where[0]), { requestInit: { headers: { Authorization: `Bearer ${process.env.CASEMATE_TOKEN}` } } });
  }
  return new StdioClientTransport({ command: where[0], args: where.slice(1), env: process.env, stderr: "inherit" });
}

/** All pages, one by one. */
async function pages(list, key) {
  const all = [];
  let cursor;
  do {
    const page = await list(cursor === undefined ? {} : { cursor });
    all.push(...page[key]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return all;
}

const common = (client) => ({
  capabilities: () => client.getServerCapabilities(),
  tools: () => pages((params) => client.listTools(params), "tools"),
  prompts: () => pages((params) => client.listPrompts(params), "prompts"),
  resources: () => pages((params) => client.listResources(params), "resources"),
  prompt: (name) => client.getPrompt({ name }),
  close: () => client.close(),
});

async function first() {
  const { Client } = await from("@modelcontextprotocol/sdk/client/index.js");
  const { ToolListChangedNotificationSchema } = await from("@modelcontextprotocol/sdk/types.js");
  const http = await from("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const stdio = await from("@modelcontextprotocol/sdk/client/stdio.js");
  const client = new Client(IDENTITY);
  const link = connection({ ...http, ...stdio });
  let version;
  // This SDK tells its transport alone which revision was agreed on.
  link.setProtocolVersion = ((kept) => (agreed) => ((version = agreed), kept?.(agreed)))(link.setProtocolVersion?.bind(link));
  await client.connect(link);
  return {
    ...common(client),
    version: () => version,
    call: (name, args, options = {}) => client.callTool({ name, arguments: args }, undefined, { ...TIMEOUT, ...options }),
    changes: async (told) => client.setNotificationHandler(ToolListChangedNotificationSchema, told),
  };
}

async function second() {
  const { Client, StreamableHTTPClientTransport } = await from("@modelcontextprotocol/client");
  const { StdioClientTransport } = await from("@modelcontextprotocol/client/stdio");
  const client = new Client(IDENTITY, { versionNegotiation: { mode: mode === "pinned" ? { pin: "2026-07-28" } : mode } });
  await client.connect(connection({ StreamableHTTPClientTransport, StdioClientTransport }));
  return {
    ...common(client),
    version: () => client.getNegotiatedProtocolVersion(),
    call: (name, args, options = {}) => client.callTool({ name, arguments: args }, { ...TIMEOUT, ...options }),
    changes: async (told) => {
      client.setNotificationHandler("notifications/tools/list_changed", told);
      if (modern) await client.listen({ toolsListChanged: true });
    },
  };
}

const card = new Card();
try {
  const client = await (sdk === "v1" ? first() : second());
  await session(client, modern ? "2026-07-28" : "2025-11-25", [change], card);
} catch (error) {
  card.check("the session holds", false, String(error?.stack ?? error));
}
card.end();
