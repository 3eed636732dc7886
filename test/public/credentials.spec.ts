// Secrets go in and never come out: not through any answer, and not with a stolen database.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { leaseOf, type PlayedWorker, playWorker } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const create = `mutation ($input: CreateCredentialInput!) {
  createCredential(input: $input) {
    ... on CreateCredentialPayload { credential { id name kind fields createdAt updatedAt } }
    ... on InvalidInputError { code faults { path message } }
  }
}`;
const update = `mutation ($input: UpdateCredentialInput!) {
  updateCredential(input: $input) {
    ... on UpdateCredentialPayload { credential { id fields updatedAt } } ... on Failure { code message }
  }
}`;
const privateKey = `-----BEGIN OPENSSH PRIVATE KEY-----\ncanary-key\n-----END OPENSSH PRIVATE KEY-----\n`;

describe("a credential", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60 }));
    acme = await stageTenant(hub);
    worker = await playWorker(hub);
  });
  after(() => stack.disposeAsync());

  const make = async (secret: object, name = "staged") =>
    (await acme.ask(create, { input: { tenantId: acme.tenantId, name, secret } })).data.createCredential;

  it("shows its name and what it consists of, never the values", async () => {
    const { credential } = await make({ privateKey, passphrase: "canary-passphrase", password: null }, "  files  ");
    const { id: _, createdAt, updatedAt, ...shown } = credential;
    assert.deepEqual(shown, { name: "files", kind: "SOURCE", fields: ["passphrase", "privateKey"] });
    assert.equal(createdAt, updatedAt);
  });

  it("is replaced as a whole, and says when", async () => {
    const { credential } = await make({ privateKey, passphrase: "canary-passphrase" });
    const { data } = await acme.ask(update, {
      input: { credentialId: credential.id, secret: { password: "canary-2" } },
    });
    assert.deepEqual(data.updateCredential.credential.fields, ["password"]);
    assert.ok(data.updateCredential.credential.updatedAt > credential.updatedAt);
    const sourceId = await acme.createSftpSource(
      { host: "files.example.com", username: "u", path: "/" },
      credential.id,
    );
    await startJob(acme.ask, "testSource", sourceId);
    const { sealed } = await worker.api.claimSecrets(leaseOf(await worker.take("TEST_SOURCE")));
    assert.deepEqual(await worker.unseal(sealed), { password: "canary-2" });
  });

  it("may hold what opens the servers on the way as well, and says what it consists of", async () => {
    const secret = { password: "db", ssh: { privateKey }, jump: { password: "hop", privateKey: null } };
    const { credential } = await make(secret);
    assert.deepEqual(credential.fields, ["jump.password", "password", "ssh.privateKey"]);
    const sourceId = await acme.createSftpSource(
      { host: "files.example.com", username: "u", path: "/" },
      credential.id,
    );
    await startJob(acme.ask, "testSource", sourceId);
    const { sealed } = await worker.api.claimSecrets(leaseOf(await worker.take("TEST_SOURCE")));
    const opened = { password: "db", ssh: { privateKey }, jump: { password: "hop" } };
    assert.deepEqual(await worker.unseal(sealed), opened);
    assert.equal((await make({ password: "db", ssh: { passphrase: "x" } })).code, "BAD_INPUT");
    assert.ok((await make({ ssh: { password: "x" } })).credential, "a database may trust its own server");
  });

  it("is deleted for good, unless a source uses it", async () => {
    const remove = async (credentialId: string) =>
      (
        await acme.ask(
          `mutation ($id: ID!) {
            deleteCredential(input: { credentialId: $id }) {
              ... on DeleteCredentialPayload { credentialId } ... on Failure { code }
            }
          }`,
          { id: credentialId },
        )
      ).data.deleteCredential;
    const { credential } = await make({ password: "x" });
    assert.deepEqual(await remove(credential.id), { credentialId: credential.id });
    assert.equal((await remove(credential.id)).code, "NOT_FOUND");
    const used = (await make({ password: "x" })).credential.id;
    await acme.createSftpSource({ host: "files.example.com", username: "u", path: "/" }, used);
    assert.equal((await remove(used)).code, "CREDENTIAL_IN_USE");
  });

  const refused: [what: string, secret: object, told: string][] = [
    ["nothing", {}, "Give a password or a private key."],
    ["a passphrase alone", { passphrase: "x" }, "Give a password or a private key."],
    ["a passphrase for a password", { password: "x", passphrase: "y" }, "A passphrase belongs to a private key."],
    ["an empty password", { password: "" }, "A password is not empty."],
    ["a public key", { privateKey: "ssh-ed25519 AAAA" }, "A private key begins with -----BEGIN … PRIVATE KEY-----."],
    ["a password that is too long", { password: "p".repeat(4_097) }, "A password has at most 4096 characters."],
  ];
  for (const [what, secret, told] of refused)
    it(`is refused with ${what}`, async () => {
      const { code, faults } = await make(secret);
      assert.equal(code, "BAD_INPUT");
      assert.ok(
        faults.some(({ message }: { message: string }) => message === told),
        JSON.stringify(faults),
      );
    });

  for (const [what, name] of [
    ["an empty name", "  "],
    ["a name with a line break", "a\nb"],
    ["a long name", "n".repeat(101)],
  ])
    it(`is refused with ${what}`, async () => {
      assert.equal((await make({ password: "x" }, name)).code, "BAD_INPUT");
    });

  it("is found in clear nowhere: in no answer, no table, no line of the log", async () => {
    const canaries = ["canary-password-31c9", "canary-passphrase-77fa", "canary-key"];
    const [password = "", passphrase = ""] = canaries;
    const answers = [await make({ password }), await make({ privateKey, passphrase })];
    const ids = answers.map(({ credential }) => credential.id);
    for (const secret of [
      { password },
      { privateKey, passphrase },
      { passphrase },
      { password, privateKey: passphrase },
    ])
      answers.push(await acme.ask(update, { input: { credentialId: ids[0], secret } }));
    const sourceId = await acme.createSftpSource({ host: "files.example.com", username: "u", path: "/" }, ids[1]);
    await startJob(acme.ask, "testSource", sourceId);
    await worker.api.claimSecrets(leaseOf(await worker.take("TEST_SOURCE")));
    const everywhere = `query ($id: ID!, $source: ID!) {
      tenant(id: $id) { credentials(first: 100) { nodes { id name kind fields } } }
      source(id: $source) { config credential { name fields } jobs { nodes { findings events { nodes { facts } } } } }
    }`;
    answers.push(await acme.ask(everywhere, { id: acme.tenantId, source: sourceId }));
    const stored = await wholeDatabase(hub.databaseUrl);
    assert.match(stored, /createCredential/);
    for (const canary of canaries)
      for (const form of [
        canary,
        Buffer.from(canary).toString("hex"),
        Buffer.from(canary).toString("base64").slice(0, -3),
      ])
        for (const [where, text] of Object.entries({ stored, answers: JSON.stringify(answers), log: hub.lines.join() }))
          assert.ok(!text.includes(form), `${where} has ${form}`);
  });

  it("cannot be asked for by any name that its secret might have", async () => {
    const { credential } = await make({ password: "x" });
    for (const field of ["secret", "password", "privateKey", "ciphertext", "value", "kekId"]) {
      const { data, errors } = await acme.ask(`query ($id: ID!) { node(id: $id) { ... on Credential { ${field} } } }`, {
        id: credential.id,
      });
      assert.equal(data, undefined);
      assert.match(errors?.[0]?.message ?? "", /^Cannot query field/);
    }
  });
});

/** Every row of every table as text, bytes in hexadecimal digits. */
async function wholeDatabase(url: string): Promise<string> {
  const connection = new pg.Client({ connectionString: url });
  await connection.connect();
  try {
    const tables = await connection.query<{ name: string }>(
      `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    const rows = [];
    for (const { name } of tables.rows) rows.push(...(await connection.query(`SELECT t::text FROM ${name} t`)).rows);
    assert.ok(tables.rowCount && tables.rowCount > 15 && rows.length > 10);
    return rows.map(({ t }) => t).join("\n");
  } finally {
    await connection.end();
  }
}
