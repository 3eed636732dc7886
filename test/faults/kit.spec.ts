// What is promised of the fault kit itself: a fault happens where it was asked for, once, and nowhere else.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { client, signIn } from "../stage/client.ts";
import { stageEarth, stageHubProcess } from "./kit/hub-process.ts";

describe("a hub that is to be killed at a point", () => {
  it("dies there, and goes on afterwards", async () => {
    await using earth = await stageEarth();
    const [onceFile, armedFile] = [".once", ".armed"].map((end) => earth.secretFiles.REDIS_URL_FILE + end) as [
      string,
      string,
    ];
    await using hub = await stageHubProcess(earth, {
      fault: { at: "hub.before-commit", action: "kill", nth: 2, onceFile, armedFile },
    });
    await writeFile(armedFile, "");
    const make = async () => {
      const ask = client(hub.graphqlUrl, await signIn(hub.graphqlUrl, hub.owner));
      return ask(`mutation { createTenant(input: { name: "Acme" }) { ... on CreateTenantPayload { tenant { id } } } }`);
    };
    for (let tries = 0; hub.child.signalCode === null && tries < 5; tries++) await make().catch(() => undefined);
    await hub.ended();
    assert.equal(hub.child.signalCode, "SIGKILL");
    assert.equal(await readFile(onceFile, "utf8"), "");
    await hub.start();
    assert.ok((await make()).data.createTenant.tenant.id);
  });
});
