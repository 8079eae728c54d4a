// The Exploit Prediction Scoring System: the plugin's tools, and how they are called.
//
// What the host has to know before it loads any of this is in plugin.toml. `fetch` is the engine's own, on wasi:http: an upstream is
// addressed by its name in plugin.toml, and a request that is not allowed there ends the call.

import { ToolFailure, find, found, report, reported, requested } from "./scores.js";

const TOOLS = [
  {
    name: "find",
    title: "Find CVE numbers",
    description: "Find the CVE numbers in a text, in one spelling and each once. Nothing is sent anywhere.",
    inputSchema: {
      type: "object",
      properties: { text: { type: "string", description: "The text to search.", minLength: 1, maxLength: 65536 } },
      required: ["text"],
      additionalProperties: false,
    },
    outputSchema: found,
    effect: "read",
    idempotent: true,
  },
  {
    name: "scores",
    title: "EPSS scores",
    description:
      "Look up how likely vulnerabilities are to be exploited in the next thirty days, by their CVE numbers, according to FIRST's EPSS. " +
      "The likeliest come first; a number that EPSS does not know is left out.",
    inputSchema: requested,
    outputSchema: reported,
    effect: "read",
    idempotent: true,
  },
];

const RUN = {
  find({ text }) {
    const cves = find(text);
    return { text: cves.join("\n") || "no CVE numbers", structured: { cves } };
  },

  async scores({ cves }) {
    const numbers = find(cves.join(" "));
    return report(await get(`https://epss/data/v1/epss?cve=${numbers.join(",")}`));
  },
};

async function get(url) {
  let response;
  try {
    response = await fetch(url, { headers: { accept: "application/json" } });
  } catch {
    throw new ToolFailure("unavailable", "EPSS cannot be reached");
  }
  if (response.status === 429) {
    throw new ToolFailure("rate-limited", "EPSS wants fewer requests", "429", 60_000n);
  }
  if (!response.ok) {
    throw new ToolFailure("upstream", `EPSS answered with status ${response.status}`, String(response.status));
  }
  try {
    return await response.json();
  } catch {
    throw new ToolFailure("upstream", "EPSS answered with something that is not JSON");
  }
}

// What the plugin exports: `casemate:plugin/tools`.
export const tools = {
  describe: () => JSON.stringify(TOOLS),

  // The host has checked the arguments against the signed schema, and calls no tool that is not described.
  async call({ tool, arguments: given }) {
    try {
      const { text, structured } = await RUN[tool](JSON.parse(given));
      return { content: [{ tag: "text", val: text }], structured: JSON.stringify(structured) };
    } catch (error) {
      // The bindings take the payload of a `result`'s error from what is thrown.
      throw error instanceof ToolFailure ? error.payload : error;
    }
  },
};
