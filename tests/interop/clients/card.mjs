// What every client has to get done, whoever wrote it: the same list as card.py and tests/interop/rmcp have.
//
// A client is an object: `version`, `capabilities`, `tools()`, `call(name, arguments, { signal, onprogress })`, `changes(told)`, which calls
// `told` for every change of the tool list, `prompts()`, `prompt(name)`, `resources()` and `close()`.

import { execFileSync } from "node:child_process";

const CHANGED_MS = 5_000;

export class Card {
  passed = 0;
  failed = 0;

  check(what, holds, seen) {
    holds ? this.passed++ : this.failed++;
    console.log(holds ? `ok    ${what}` : `FAIL  ${what}: ${(typeof seen === "string" ? seen : (JSON.stringify(seen) ?? "")).slice(0, 600)}`);
  }

  end() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exit(this.passed > 0 && this.failed === 0 ? 0 : 1);
  }
}

const text = (result) => result.content.filter((block) => block.type === "text").map((block) => block.text).join("\n");

/** Goes through the list. `change` is the command that puts `test_slow` out of service, or back. */
export async function session(client, version, change, card) {
  card.check("the revision that was to be agreed on", client.version() === version, client.version());

  const tools = await client.tools();
  const names = tools.map((tool) => tool.name);
  card.check("lists the tools, each once", new Set(names).size === names.length && names.includes("test_simple_text"), names);
  const structured = tools.find((tool) => tool.name === "test_structured_content");
  card.check("sees that a tool only reads", structured?.annotations?.readOnlyHint === true, structured);
  card.check("sees both schemas", structured?.inputSchema.$defs?.place && structured?.outputSchema, structured);

  const simple = await client.call("test_simple_text", {});
  card.check("calls a tool", !simple.isError && text(simple) === "This is a simple text response for testing.", simple);
  const forecast = await client.call("test_structured_content", { place: "Delft" });
  card.check("reads structured content", forecast.structuredContent?.place === "Delft" && forecast.structuredContent.days === 1, forecast);
  const mixed = await client.call("test_multiple_content_types", {});
  card.check("reads text, image and embedded resource", mixed.content.map((block) => block.type).join() === "text,image,resource", mixed);
  const audio = await client.call("test_audio_content", {});
  card.check("reads audio", audio.content[0]?.type === "audio" && audio.content[0].mimeType === "audio/wav", audio);
  const link = await client.call("test_resource_link", {});
  card.check("reads a link", link.content[0]?.type === "resource_link", link);

  const refused = await client.call("test_structured_content", { place: "Delft", days: 99 });
  card.check("a refusal is a result that says so", refused.isError === true && text(refused).includes("days"), refused);
  card.check("and says why to a program", refused.structuredContent?.decision === "denied" && refused.structuredContent.reason, refused);
  const broken = await client.call("test_error_handling", {});
  card.check("a fault is a result with its text", broken.isError === true && text(broken).includes("intentionally"), broken);

  const reports = [];
  await client.call("test_tool_with_progress", {}, { onprogress: (report) => reports.push(report.progress) });
  card.check("is told of progress", reports.join() === "0,50,100", reports);

  const enough = new AbortController();
  const ended = await client.call("test_slow", {}, { signal: enough.signal, onprogress: () => enough.abort("enough") }).then(
    (result) => result,
    (error) => error,
  );
  card.check("gives a call up that has begun", ended instanceof Error || typeof ended === "string", ended);
  card.check("and goes on", !(await client.call("test_simple_text", {})).isError, "an error");

  let times = 0;
  await client.changes(() => times++);
  const before = times;
  execFileSync(change[0], change.slice(1));
  card.check("is told that the tool list changed", await until(() => times > before), times);
  const fewer = (await client.tools()).map((tool) => tool.name);
  card.check("and sees the new one", fewer.length === names.length - 1 && !fewer.includes("test_slow"), fewer);
  const told = times;
  execFileSync(change[0], change.slice(1));
  await until(() => times > told);
  card.check("and the old one again", (await client.tools()).length === names.length, "another list");

  const capabilities = client.capabilities();
  if (capabilities.prompts) {
    const prompts = (await client.prompts()).map((prompt) => prompt.name);
    card.check("lists prompts", prompts.includes("test_simple_prompt"), prompts);
    const prompt = await client.prompt("test_simple_prompt");
    card.check("reads a prompt", prompt.messages[0]?.content?.type === "text", prompt);
  }
  if (capabilities.resources) {
    const resources = await client.resources();
    const uris = new Set(resources.map((resource) => resource.uri));
    card.check("lists resources, the host's and the operator's", ["casemate://audit/self", "test://static-text"].every((uri) => uris.has(uri)), resources);
  }
  await client.close();
}

async function until(holds) {
  for (const end = Date.now() + CHANGED_MS; Date.now() < end; ) {
    if (holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
