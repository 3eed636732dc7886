// The examples in clients/api/examples/stock-clients, each run as a program of its own: clients that somebody else wrote.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Person, stagePerson } from "../public/people.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const folder = fileURLToPath(new URL("../../clients/api/examples/stock-clients/", import.meta.url));

describe("a stock client", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let person: Person;
  let source: string;

  before(async () => {
    hub = stack.use(await stageHub());
    acme = await stageTenant(hub);
    person = await stagePerson(hub, { tenantId: acme.tenantId, role: "MEMBER" });
    const config = { host: "127.0.0.1", port: 22, username: "x", path: "/srv" };
    source = await acme.createSftpSource(config, await acme.createCredential({ password: "x" }));
  });
  after(() => stack.disposeAsync());

  /** What the example printed; the job is canceled as soon as it has told that it is queued. */
  async function run(command: string, args: readonly string[]): Promise<string> {
    const jobId = await startJob(acme.ask, "testSource", source);
    const example = spawn(command, [...args, jobId], { stdio: ["pipe", "pipe", "inherit"], timeout: 20_000 });
    example.stdin.end(`${person.token}\n`);
    let printed = "";
    let canceled = false;
    example.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      if (canceled || !printed.includes("QUEUED")) return;
      canceled = true;
      void acme.ask(`mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { __typename } }`, { id: jobId });
    });
    const [code, signal] = await once(example, "close");
    assert.deepEqual([code, signal], [0, null], printed);
    return printed;
  }
  const lines = (printed: string) => printed.trim().split("\n");

  const followers: [name: string, file: string, url: () => string][] = [
    ["graphql-ws", "graphql-ws.ts", () => hub.graphqlUrl.replace("http:", "ws:")],
    ["graphql-sse, a connection for each operation", "graphql-sse.ts", () => hub.graphqlUrl],
    ["EventSource", "event-source.ts", () => hub.graphqlUrl],
  ];
  for (const [name, file, url] of followers)
    it(`${name} follows a job to its end`, async () => {
      const printed = lines(await run(process.execPath, [folder + file, url()]));
      assert.deepEqual([printed[0], printed.at(-1)], ["QUEUED", "CANCELED"]);
    });

  it("urql asks, changes and follows", async () => {
    const printed = lines(await run(process.execPath, [`${folder}urql.ts`, hub.graphqlUrl]));
    assert.deepEqual([printed[0], printed[1], printed.at(-1)], [person.email, "QUEUED", "CANCELED"]);
  });

  it("curl asks and follows", async () => {
    const printed = await run("sh", [`${folder}curl.sh`, hub.graphqlUrl]);
    assert.ok(printed.startsWith(`{"data":{"viewer":{"email":"${person.email}"}}}\n`), printed);
    assert.match(printed, /event: next\ndata: .*"QUEUED"[\s\S]*"CANCELED"[\s\S]*event: complete/);
  });

  it("is tried for every example that there is", async () => {
    const tried = [...followers.map(([, file]) => file), "urql.ts", "curl.sh"];
    assert.deepEqual((await readdir(folder)).sort(), tried.sort());
  });
});
