// The examples of the README, run as they stand there against a real hub, a real worker and a real server.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createApiKey } from "../../clients/api/api-keys.ts";
import { connectApi } from "../../clients/api/connect.ts";
import { type StagedSite, stageSite } from "../stage/backed-up-site.ts";
import { stageRestore } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { tree } from "../stage/tree.ts";

const clients = fileURLToPath(new URL("../../clients/api/", import.meta.url));

interface Run {
  readonly args?: readonly string[];
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What the example prints; it has to end well. */
async function run(example: string, { args = [], input = "", env = {} }: Run): Promise<string> {
  const child = spawn(process.execPath, [join(clients, "examples", `${example}.ts`), ...args], {
    env: { PATH: "/usr/bin:/bin", ...env },
    signal: AbortSignal.timeout(60_000),
  });
  child.stdin.end(input);
  const [[exitCode], stdout, stderr] = await Promise.all([
    once(child, "close"),
    text(child.stdout),
    text(child.stderr),
  ]);
  assert.deepEqual([exitCode, stderr], [0, ""], stdout);
  return stdout;
}

describe("the README of the client", () => {
  it("shows every example byte for byte, and nothing else", async () => {
    const readme = await readFile(join(clients, "README.md"), "utf8");
    const shown = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
    const files = (await readdir(join(clients, "examples"))).filter((name) => name.endsWith(".ts"));
    const examples = await Promise.all(files.map((name) => readFile(join(clients, "examples", name), "utf8")));
    assert.deepEqual(shown.sort(), examples.sort());
  });
});

describe("an example of the client", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let site: StagedSite;
  let scratch: string;
  let session: string;
  let snapshotId = "";

  before(async () => {
    site = stack.use(await stageSite(tree({ "etc/hosts": "127.0.0.1 localhost", "var/www/index.html": "hello" })));
    stack.use(await stageRestore(site.hub, { storageBase: site.worker.storageBase }));
    scratch = await mkdtemp(join(tmpdir(), "xvault-examples-"));
    stack.defer(() => rm(scratch, { recursive: true }));
    session = join(scratch, "session.json");
    const { graphqlUrl, owner } = site.hub;
    const said = await run("sign-in", { args: [graphqlUrl, owner.email, session], input: `${owner.password}\n` });
    assert.equal(said, `signed in as ${owner.email}\n`);
  });

  after(() => stack.disposeAsync());

  it("signs in for all programs that share the file, which nobody else can read", async () => {
    assert.equal((await stat(session)).mode & 0o777, 0o600);
  });

  it("lists sources, page by page", async () => {
    const more = ["alpha", "beta", "gamma"].map(async (name) => {
      const { acme, credentialId } = site;
      const config = { host: "127.0.0.1", username: "ada", path: "/" };
      const document = `mutation ($input: CreateSourceInput!) { createSource(input: $input) { __typename } }`;
      await acme.ask(document, { input: { tenantId: acme.tenantId, type: "SFTP", name, config, credentialId } });
    });
    await Promise.all(more);
    const lines = (await run("list-sources", { args: [session] })).trim().split("\n");
    const names = lines.map((line) => line.replace(/^Acme: src_\S+ SFTP /, ""));
    assert.deepEqual(names, ["alpha", "beta", "gamma", "staged"]);
  });

  it("backs up and follows it to its end", async () => {
    const lines = (await run("back-up", { args: [session, site.sourceId] })).trim().split("\n");
    assert.ok(
      lines.some((line) => /^\d+ state .*"COMPLETED"/.test(line)),
      lines.join("\n"),
    );
    const [status, id = ""] = lines.at(-1)?.split(" ") ?? [];
    assert.equal(status, "COMPLETED");
    snapshotId = id;
  });

  it("restores what it names, and nothing else", async () => {
    const out = join(scratch, "site.tar");
    const said = await run("restore", { args: [session, snapshotId, out, "var/www"] });
    assert.equal(said, `${out}: ${(await stat(out)).size} bytes\n`);
    const { stdout } = await promisify(execFile)("tar", ["-tf", out]);
    assert.match(stdout, /var\/www\/index\.html/);
    assert.doesNotMatch(stdout, /etc\/hosts/);
  });

  it("tells refusals from failures", async () => {
    const lines = (await run("refusals", { args: [session] })).trim().split("\n");
    assert.equal(lines[0], "refused, NOT_FOUND: There is nothing of yours with this id.");
    assert.match(lines[1] ?? "", /^refused, BAD_INPUT: /);
    assert.ok(lines.slice(2, -1).some((line) => line.startsWith("  config.host: ")));
    assert.equal(
      lines.at(-1),
      "failed, UNREACHABLE, try again later: The hub at http://127.0.0.1:1 cannot be reached.",
    );
  });

  it("backs up with an API key, as a pipeline does", async () => {
    const { graphqlUrl } = site.hub;
    const { tenantId, token } = site.acme;
    const api = connectApi({ url: graphqlUrl, token });
    const key = await api.mutate(createApiKey, { tenantId, name: "CI", role: "MEMBER", sourceIds: [site.sourceId] });
    const env = { XVAULT_URL: graphqlUrl, XVAULT_API_KEY: key.token };
    assert.equal(await run("api-key", { args: [site.sourceId], env }), "backup COMPLETED\n");
  });
});
