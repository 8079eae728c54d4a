// The plugin's logic, without a host: `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ToolFailure, find, report } from "./scores.js";

test("a number has one spelling and comes once", () => {
  assert.deepEqual(find("cve-2024-3094, CVE-2024-3094; (CVE-2021-44228)"), ["CVE-2024-3094", "CVE-2021-44228"]);
});

test("what only looks like a number is none", () => {
  assert.deepEqual(find("CVE-2024-309 XCVE-2024-3094 CVE-2024-3094x"), []);
});

test("the likeliest comes first, and what has another form is dropped", () => {
  const row = (cve, epss) => ({ cve, epss, percentile: "0.5", date: "2026-01-01" });
  const answer = { data: [row("CVE-2024-0001", "0.1"), row("CVE-2024-0002", "0.9"), row("ignore this", "0.5"), null, row("CVE-2024-0003", 1)] };
  assert.deepEqual(report(answer).structured.scores.map(({ cve }) => cve), ["CVE-2024-0002", "CVE-2024-0001"]);
});

test("an answer without data is a failure of the upstream", () => {
  assert.throws(() => report({}), (error) => error instanceof ToolFailure && error.payload.kind === "upstream");
});
