// The MCP Inspector's command line, which judges strictly: inspector.mjs NODE_MODULES legacy|modern CHANGE http URL | stdio COMMAND…
//
// It starts anew for each request, so it neither follows changes nor gives calls up. The token is in CASEMATE_TOKEN, and reaches it in a file
// that only this user can read. The last line is the sum.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Card } from "./card.mjs";

const [modules, era, , transport, ...where] = process.argv.slice(2);
// Its exit status for a tool result with `isError: true`.
const TOOL_IS_ERROR = 5;

const card = new Card();
const folder = mkdtempSync(join(tmpdir(), "casemate-inspector-"));
try {
  const server =
    transport === "http"
      ? { type: "streamable-http", url: where[0], headers: { Authorization: `Bearer ${process.env.CASEMATE_TOKEN}` } }
      : { type: "stdio", command: where[0], args: where.slice(1) };
  const config = join(folder, "mcp.json");
  writeFileSync(config, JSON.stringify({ mcpServers: { casemate: server } }), { mode: 0o600 });
  mkdirSync(join(folder, "home"));
  session((...args) => {
    const fixed = ["--cli", "--config", config, "--server", "casemate", "--protocol-era", era, "--format", "json"];
    const env = { ...process.env, HOME: join(folder, "home"), MCP_INSPECTOR_SECRET_STORE: "memory" };
    const run = spawnSync(join(modules, ".bin", "mcp-inspector"), [...fixed, ...args], { env, encoding: "utf8", timeout: 60_000 });
    if (run.error) throw run.error;
    let result;
    try {
      result = JSON.parse(run.stdout).result;
    } catch {
      result = undefined;
    }
    return { status: run.status, result, complaint: run.stderr };
  });
} finally {
  rmSync(folder, { recursive: true });
}
card.end();

function session(inspector) {
  const call = (tool, args) => inspector("--method", "tools/call", "--tool-name", tool, "--tool-args-json", JSON.stringify(args));
  const list = inspector("--strict", "--method", "tools/list");
  const names = list.result?.tools?.map((tool) => tool.name) ?? [];
  card.check("lists the tools, and finds every schema portable", list.status === 0 && names.includes("test_simple_text"), list);

  const forecast = call("test_structured_content", { place: "Delft" });
  card.check("reads structured content", forecast.status === 0 && forecast.result?.structuredContent?.place === "Delft", forecast);
  const mixed = call("test_multiple_content_types", {});
  const kinds = mixed.result?.content?.map((block) => block.type).join();
  card.check("reads text, image and embedded resource", kinds === "text,image,resource", mixed);
  const refused = call("test_structured_content", { place: "Delft", days: 99 });
  const says = refused.status === TOOL_IS_ERROR && JSON.stringify(refused.result?.content).includes("days");
  card.check("a refusal is a result that says so", says && refused.result.structuredContent?.decision === "denied", refused);
  const broken = call("test_error_handling", {});
  card.check("a fault is a result with its text", broken.status === TOOL_IS_ERROR && JSON.stringify(broken.result).includes("intentionally"), broken);
}
