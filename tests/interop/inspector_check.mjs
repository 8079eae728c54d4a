// The MCP Inspector's command line as a client of `casemate serve`, in both eras of the protocol.
//
//     node inspector_check.mjs -- casemate serve …         over stdio
//     node inspector_check.mjs --http URL --token TOKEN    over Streamable HTTP
//
// The Inspector is the one installed beside this file, or the program that `--inspector FILE` names.
// The server must have the VirusTotal plugin installed and bound to the fake, with a budget of at least two calls. The server and
// the token reach the Inspector in a file that only this user can read, so neither is parsed as the Inspector's own options and the
// token is on no command line.

import { spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const EICAR = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";
const READ_TOOLS = ["analysis", "domain_report", "file_report", "ip_report", "url_report"].map((name) => `virustotal_${name}`);
const BESIDE = join(dirname(fileURLToPath(import.meta.url)), "node_modules", ".bin", "mcp-inspector");
// The Inspector's exit status for a tool result with `isError: true`.
const TOOL_IS_ERROR = 5;

const { values: options, positionals: command } = parseArgs({
  options: {
    http: { type: "string" },
    token: { type: "string" },
    hash: { type: "string", default: EICAR },
    inspector: { type: "string", default: BESIDE },
  },
  allowPositionals: true,
});
if (Boolean(options.http) === command.length > 0) {
  console.error("usage: inspector_check.mjs [--inspector FILE] --http URL [--token TOKEN] | -- COMMAND…");
  process.exit(2);
}
const token = options.token ?? process.env.CASEMATE_TOKEN;

let passed = 0;
let failed = 0;

function check(what, holds, seen) {
  holds ? passed++ : failed++;
  console.log(holds ? `ok    ${what}` : `FAIL  ${what}: ${(typeof seen === "string" ? seen : JSON.stringify(seen) ?? "").slice(0, 600)}`);
}

function server() {
  if (options.http) {
    return { type: "streamable-http", url: options.http, headers: token ? { Authorization: `Bearer ${token}` } : {} };
  }
  // The Inspector gets a home of its own; the server keeps the person's.
  const kept = Object.entries(process.env).filter(([name]) => /^(HOME|PATH|XDG_.*|CASEMATE_.*|RUST_.*)$/.test(name));
  return { type: "stdio", command: command[0], args: command.slice(1), env: Object.fromEntries(kept) };
}

const folder = mkdtempSync(join(tmpdir(), "casemate-inspector-"));
try {
  const config = join(folder, "mcp.json");
  writeFileSync(config, JSON.stringify({ mcpServers: { casemate: server() } }), { mode: 0o600 });
  mkdirSync(join(folder, "home"));
  for (const era of ["legacy", "modern"]) {
    console.log(`${options.http ? "http" : "stdio"}, ${era}:`);
    session((...args) => inspect(config, era, args));
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(passed > 0 && failed === 0 ? 0 : 1);

/** Runs the Inspector once: its exit status, the result it printed, and what it complained of. */
function inspect(config, era, args) {
  const fixed = ["--cli", "--config", config, "--server", "casemate", "--protocol-era", era, "--format", "json"];
  const env = { ...process.env, HOME: join(folder, "home"), MCP_INSPECTOR_SECRET_STORE: "memory" };
  const run = spawnSync(options.inspector, [...fixed, ...args], { env, encoding: "utf8", timeout: 60_000 });
  if (run.error) {
    throw run.error;
  }
  let result;
  try {
    result = JSON.parse(run.stdout).result;
  } catch {
    result = undefined;
  }
  return { status: run.status, result, complaint: run.stderr };
}

function session(inspector) {
  // `--strict` judges every schema for portability between clients and exits with 6 when one is not portable.
  const list = inspector("--strict", "--method", "tools/list");
  check("tools/list: portable schemas", list.status === 0, `status ${list.status}: ${list.complaint}`);
  const names = list.result?.tools?.map((tool) => tool.name) ?? [];
  check("tools/list: every read tool", READ_TOOLS.every((name) => names.includes(name)), names);

  const call = ["--method", "tools/call", "--tool-name", "virustotal_file_report", "--tool-args-json"];
  const report = inspector(...call, JSON.stringify({ hash: options.hash }));
  check("tools/call: answered", report.status === 0 && report.result?.isError !== true, report);
  check("tools/call: structured, about that file", JSON.stringify(report.result?.structuredContent ?? null).includes(options.hash), report);

  const refused = inspector(...call, JSON.stringify({ hash: "not-a-hash" }));
  check("tools/call: a malformed hash is an error", refused.status === TOOL_IS_ERROR && refused.result?.isError === true, refused);
}
