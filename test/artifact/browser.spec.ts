// The portable door in a real browser: modules as they are, a vector behind an HTTP server, and a key.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { available } from "../stage/available.ts";
import { servePage } from "./browser-server.ts";
import type { Report } from "./in-browser.ts";
import { identity, strangerIdentity } from "./sealing.ts";

interface ExpectedEntry {
  readonly path?: string;
  readonly pathHex?: string;
  readonly kind: string;
  readonly sha256?: string;
}

/** Far more than it takes. */
const patienceMs = 60_000;

describe("the portable door in Chromium", { skip: available("chromium") ?? false }, () => {
  for (const vector of ["tree", "dump"])
    it(`opens, lists, verifies, picks from and extracts an artifact: ${vector}`, async () => {
      const reports = await visit({ vector, identity, stranger: strangerIdentity });
      const expected = await expectedEntries(vector);
      assert.equal(reports.length, 2);
      for (const report of reports) {
        assert.equal(report.depth, "CONTENTS");
        assert.deepEqual(report.extracted, expected);
        assert.deepEqual(
          report.listed,
          expected.map(({ path }) => path),
        );
        assert.equal(report.picked, expected.findLast(({ kind }) => kind === "file")?.sha256);
        assert.ok(report.tarBytes > 0 && report.tarBytes % 512 === 0);
        assert.equal(report.wrongKey, "KEY_UNAVAILABLE");
      }
    });
});

async function visit(asked: Record<string, string>): Promise<readonly Report[]> {
  await using server = await servePage("/test/artifact/in-browser.ts");
  const profile = await mkdtemp(join(tmpdir(), "xvault-browser-"));
  const address = `${server.origin}/?${new URLSearchParams(asked)}`;
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${profile}`, "--no-first-run"];
  const browser = spawn("chromium", [...flags, "--remote-debugging-port=0", address], {
    stdio: "ignore",
    detached: true,
  });
  const exited = once(browser, "exit");
  const giveUp = new AbortController();
  try {
    const outcome = await Promise.race([
      server.report,
      exited.then(() => assert.fail("the browser ended before its page was done")),
      setTimeout(patienceMs, undefined, { signal: giveUp.signal }).then(() => assert.fail(server.asked.join("\n"))),
    ]);
    assert.ok(Array.isArray(outcome), JSON.stringify(outcome));
    return outcome;
  } finally {
    giveUp.abort();
    // It is the leader of its group: its helpers end with it.
    if (browser.pid !== undefined) process.kill(-browser.pid, "SIGKILL");
    await exited.catch(() => {});
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function expectedEntries(vector: string): Promise<readonly { path: string; kind: string; sha256?: string }[]> {
  const text = await readFile(join(import.meta.dirname, "vectors", vector, "expected.json"), "utf8");
  const { entries } = JSON.parse(text) as { entries: ExpectedEntry[] };
  return entries.map(({ path, pathHex, kind, sha256 }) => ({
    path: path ?? `hex:${pathHex}`,
    kind,
    ...(sha256 === undefined ? {} : { sha256 }),
  }));
}
