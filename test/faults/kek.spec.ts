// F28: the KEK is rotated while hubs run, and the rotation is killed at any row; hubs are started with the wrong KEK.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createCredential, updateCredential } from "../../domain/credentials.ts";
import { registerKek } from "../../domain/keks.ts";
import { client, signIn } from "../stage/client.ts";
import { type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { kekIdOf, newKek, type SealedSecrets, sealSecrets } from "./kit/sealed-secrets.ts";

const system = { kind: "system" } as const;

describe("a rotation of the KEK", () => {
  const stack = new AsyncDisposableStack();
  let earth: StagedEarth;
  before(async () => {
    earth = stack.use(await stageEarth());
  });
  after(() => stack.disposeAsync());

  it("leaves every secret readable at whichever row it is killed, and goes on where it stopped", async () => {
    const { db } = earth;
    const secrets = await sealSecrets(earth, { count: 20 });
    const { keks } = secrets;
    const [oldId, newId] = [kekIdOf(keks.old), kekIdOf(keks.new)];
    const touched = () => db.credential.findMany({ select: { id: true, updatedAt: true }, orderBy: { id: "asc" } });
    const before = await touched();
    await registerKek(secrets.hubWith([keks.new, keks.old]));
    for (const [nth, left] of [
      [1, 20],
      [7, 14],
      [14, 1],
    ] as const) {
      const killed = await secrets.rotate([keks.new, keks.old], { at: "kek.row-resealed", action: "kill", nth });
      assert.equal(killed.signal, "SIGKILL", killed.stderr);
      const under = await secrets.assertReadable([keks.new, keks.old]);
      assert.deepEqual([under[oldId], under[newId] ?? 0], [left, 20 - left]);
      // A hub that has not been given its new place yet has both as well.
      await secrets.assertReadable([keks.old, keks.new]);
    }
    const done = await secrets.rotate([keks.new, keks.old]);
    assert.equal(done.exitCode, 0, done.stderr);
    assert.deepEqual(JSON.parse(done.stdout), { kekId: newId, resealed: 1, retired: [oldId], unopenable: [], left: 0 });
    assert.deepEqual(await secrets.assertReadable([keks.new]), { [newId]: 20 });
    const audited = await db.auditEvent.findMany({ where: { verb: "rotateKek" } });
    assert.equal(new Set(audited.map(({ objectId }) => objectId)).size, 20);
    assert.equal(audited.length, 20, "each row is sealed anew, and audited, once");
    assert.deepEqual(audited[0]?.after, { kekId: newId });
    assert.deepEqual(await touched(), before, "no customer's secret was changed");
  });
});

describe("a rotation of the KEK of running hubs", () => {
  const stack = new AsyncDisposableStack();
  let earth: StagedEarth;
  let secrets: SealedSecrets;
  before(async () => {
    earth = stack.use(await stageEarth());
    secrets = await sealSecrets(earth, { count: 40 });
  });
  after(() => stack.disposeAsync());

  it("is refused as long as no hub has started with the new one", async () => {
    const { keks } = secrets;
    const { exitCode, stderr } = await secrets.rotate([keks.new, keks.old]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /^No hub has started with the KEK [0-9a-f]{16} yet: give it to every hub/);
    assert.deepEqual(await secrets.assertReadable([keks.old]), { [kekIdOf(keks.old)]: 40 });
  });

  it("may be done by two at once while secrets are changed, and loses no change", async () => {
    const { keks, credentialIds, tenantId } = secrets;
    await using hub = await stageHubProcess(earth, { env: await secrets.environment([keks.new, keks.old]) });
    const userId = (await earth.db.user.findFirstOrThrow()).id;
    await earth.db.membership.create({ data: { tenantId, userId, role: "OWNER" } });
    const ask = client(hub.graphqlUrl, await signIn(hub.graphqlUrl, earth.owner));
    const rotations = Promise.all([secrets.rotate([keks.new, keks.old]), secrets.rotate([keks.new, keks.old])]);
    let over = false;
    const ended = rotations.finally(() => {
      over = true;
    });
    // A hub that was not started again yet seals with the old one.
    const stale = secrets.hubWith([keks.old, keks.new]);
    for (let n = 0; !over || n < credentialIds.length; n++) {
      const credentialId = credentialIds[n % credentialIds.length] ?? "";
      const password = `changed ${n}`;
      if (n % 3 === 0)
        await updateCredential(stale, system, { credentialId, secret: { password } }).catch((error: unknown) => {
          // The old one was retired between two of these.
          assert.match(String(error), /keks_retired|is retired/);
          return ask(update, { credentialId, password });
        });
      else assert.ok((await ask(update, { credentialId, password })).data.updateCredential.credential);
      secrets.changed(credentialId, password);
    }
    for (const { exitCode, stderr } of await ended) assert.ok(exitCode === 0 || exitCode === 1, stderr);
    await secrets.assertReadable([keks.new, keks.old]);
    const last = await secrets.rotate([keks.new, keks.old]);
    assert.equal(last.exitCode, 0, last.stderr);
    assert.deepEqual(await secrets.assertReadable([keks.new]), { [kekIdOf(keks.new)]: 40 });
  });

  it("ends with a database that takes nothing sealed with the old one", async () => {
    const { keks, tenantId } = secrets;
    const stale = secrets.hubWith([keks.old]);
    await assert.rejects(
      createCredential(stale, system, { tenantId, name: "late", secret: { password: "x" } }),
      /is retired/,
    );
  });

  it("goes forward only", async () => {
    const { keks } = secrets;
    const { exitCode, stderr } = await secrets.rotate([keks.old, keks.new]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /No hub has started with the KEK/);
    assert.deepEqual(await secrets.assertReadable([keks.new]), { [kekIdOf(keks.new)]: 40 });
  });

  it("keeps a KEK under which something is that cannot be opened, and says what", async () => {
    const { keks, credentialIds } = secrets;
    const third = newKek();
    await registerKek(secrets.hubWith([third, keks.new]));
    const [id = ""] = credentialIds;
    const { ciphertext } = await earth.db.credential.findUniqueOrThrow({ where: { id } });
    await earth.db.credential.update({ where: { id }, data: { ciphertext: ciphertext.toReversed() } });
    const { exitCode, stdout } = await secrets.rotate([third, keks.new]);
    assert.equal(exitCode, 1);
    const outcome = { kekId: kekIdOf(third), resealed: 39, retired: [], unopenable: [id], left: 1 };
    assert.deepEqual(JSON.parse(stdout), outcome);
  });
});

const update = `mutation ($credentialId: ID!, $password: String!) {
  updateCredential(input: { credentialId: $credentialId, secret: { password: $password } }) {
    ... on UpdateCredentialPayload { credential { id } }
    ... on Failure { message }
  }
}`;

describe("a hub", () => {
  it("does not start with a KEK that is wrong, short, none or missing, and says so in a sentence", async () => {
    await using earth = await stageEarth();
    const secrets = await sealSecrets(earth, { count: 5 });
    const { keks } = secrets;
    const [right, wrong] = [kekIdOf(keks.old), kekIdOf(keks.new)];
    const short = Buffer.alloc(28, 7).toString("base64");
    const cases: [env: Record<string, string>, sentence: RegExp][] = [
      [
        await secrets.environment([keks.new]),
        new RegExp(`sealed with the KEK ${right} \\(5 of them\\), and this hub was started with ${wrong}`),
      ],
      [await secrets.environment([short]), /HUB_ENCRYPTION_KEK holds 28 bytes; it has to be 32/],
      [await secrets.environment([keks.old, short]), /Number 1 of HUB_ENCRYPTION_PREVIOUS_KEKS holds 28 bytes/],
      [await secrets.environment(["not base64!"]), /HUB_ENCRYPTION_KEK is not base64/],
      [{ HUB_ENCRYPTION_KEK_FILE: "" }, /HUB_ENCRYPTION_KEK is not set/],
    ];
    const ended = await Promise.all(cases.map(([env]) => secrets.startInVain(env)));
    for (const [n, [, sentence]] of cases.entries()) {
      const { exitCode, stdout, stderr } = ended[n] ?? assert.fail();
      assert.equal(exitCode, 1, stderr);
      assert.match(stderr, sentence);
      assert.doesNotMatch(stdout, /hub is up/);
      for (const kek of [keks.old, keks.new, short]) assert.ok(!stderr.includes(kek), "no key is told");
      assert.equal(stderr.trimEnd().split("\n").length, 2, "one sentence, and no stack");
    }
    assert.deepEqual(await secrets.assertReadable([keks.old]), { [right]: 5 });
  });

  it("does not start with a KEK that was retired, nor beside one with another KEK on a new database", async () => {
    await using earth = await stageEarth();
    const secrets = await sealSecrets(earth, { count: 3 });
    const { keks } = secrets;
    await assert.rejects(registerKek(secrets.hubWith([newKek()])), /is not the key that this database was used with/);
    await registerKek(secrets.hubWith([keks.new, keks.old]));
    assert.equal((await secrets.rotate([keks.new, keks.old])).exitCode, 0);
    await assert.rejects(registerKek(secrets.hubWith([keks.old, keks.new])), /which was retired on/);
    await using empty = await stageEarth();
    const hubOf = (kek: string) => ({ ...secrets.hubWith([kek]), db: empty.db, platform: empty.db });
    const outcomes = await Promise.allSettled([registerKek(hubOf(keks.old)), registerKek(hubOf(keks.new))]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  });
});
