// Secrets go in and never come out: not through any answer, and not with a stolen database.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { buildClientSchema, type GraphQLObjectType, getIntrospectionQuery, getNamedType, isLeafType } from "graphql";
import pg from "pg";
import { leaseOf, type PlayedWorker, playWorker } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { stagePerson } from "./people.ts";

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

  it("is renamed without its secret, and says which sources it opens", async () => {
    const { credential } = await make({ password: "canary-3" });
    const { id } = credential;
    const { data } = await acme.ask(update, { input: { credentialId: id, name: " Renamed " } });
    assert.deepEqual(data.updateCredential.credential.fields, ["password"]);
    const sourceId = await acme.createSftpSource({ host: "files.example.com", username: "u", path: "/" }, id);
    const look = `query ($id: ID!) { node(id: $id) { ... on Credential {
      name usedBy { totalCount nodes { id } } viewerCanUpdate viewerCanDelete } } }`;
    const usedBy = { totalCount: 1, nodes: [{ id: sourceId }] };
    const { node } = (await acme.ask(look, { id })).data;
    assert.deepEqual(node, { name: "Renamed", usedBy, viewerCanUpdate: true, viewerCanDelete: true });
    const member = await stagePerson(hub, { tenantId: acme.tenantId, role: "MEMBER" });
    const theirs = (await member.ask(look, { id })).data.node;
    assert.deepEqual(theirs, { name: "Renamed", usedBy, viewerCanUpdate: false, viewerCanDelete: false });
    await startJob(acme.ask, "testSource", sourceId);
    const { sealed } = await worker.api.claimSecrets(leaseOf(await worker.take("TEST_SOURCE")));
    assert.deepEqual(await worker.unseal(sealed), { password: "canary-3" });
    const [event] = await hub.running.hub.db.auditEvent.findMany({ where: { verb: "updateCredential", objectId: id } });
    const [before, after] = [
      { name: "staged", fields: ["password"] },
      { name: "Renamed", fields: ["password"] },
    ];
    assert.deepEqual([event?.before, event?.after], [before, { ...after, secretReplaced: false }]);
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

  it("shows the same to every role, and to none of them its secret", async () => {
    const { credential } = await make({ password: "canary-of-roles" });
    const sourceId = await acme.createSftpSource(
      { host: "files.example.com", username: "u", path: "/" },
      credential.id,
    );
    const shape = buildClientSchema((await acme.ask(getIntrospectionQuery())).data);
    const plain = (name: string) =>
      Object.values((shape.getType(name) as GraphQLObjectType).getFields())
        .filter(({ type, args }) => isLeafType(getNamedType(type)) && args.length === 0)
        .map(({ name: field }) => field)
        .filter((field) => !field.startsWith("viewerCan"))
        .join(" ");
    const everything = `query ($id: ID!, $source: ID!) {
      node(id: $id) { ... on Credential { ${plain("Credential")} usedBy { nodes { ${plain("Source")} } } } }
      source(id: $source) { ${plain("Source")} credential { ${plain("Credential")} } jobs { nodes { ${plain("Job")} } } }
    }`;
    const answers = new Set<string>();
    for (const role of ["VIEWER", "MEMBER", "ADMIN", "OWNER"] as const) {
      const person = await stagePerson(hub, { tenantId: acme.tenantId, role });
      const answer = JSON.stringify(await person.ask(everything, { id: credential.id, source: sourceId }));
      assert.match(answer, /"fields":\["password"\]/);
      assert.doesNotMatch(answer, /canary-of-roles|errors/);
      answers.add(answer);
    }
    assert.equal(answers.size, 1);
  });

  for (const [what, extra] of [
    ["a password", { password: "canary-in-config" }],
    ["a private key", { privateKey: "canary-in-config" }],
    ["a secret by a name of its own", { secret: "canary-in-config" }],
    [
      "a password for the jump host",
      { jump: { host: "hop.example.com", username: "u", password: "canary-in-config" } },
    ],
  ] as const)
    it(`has no place in the settings of a source: ${what}`, async () => {
      const config = { host: "files.example.com", username: "u", path: "/", ...extra };
      const settings = { tenantId: acme.tenantId, type: "SFTP", config };
      const sourceId = await acme.createSftpSource(
        { host: "files.example.com", username: "u", path: "/" },
        await acme.createCredential({ password: "x" }),
      );
      for (const [verb, type, input] of [
        ["createSource", "CreateSourceInput", { ...settings, name: "New" }],
        ["testSourceDraft", "TestSourceDraftInput", settings],
        ["updateSource", "UpdateSourceInput", { sourceId, config }],
      ] as const) {
        const document = `mutation ($input: ${type}!) { ${verb}(input: $input) { __typename ... on Failure { message } } }`;
        const { data } = await acme.ask(document, { input });
        assert.equal(data[verb].__typename, "InvalidInputError", verb);
        assert.doesNotMatch(data[verb].message, /canary/);
      }
      assert.doesNotMatch(await wholeDatabase(hub.databaseUrl), /canary-in-config/);
      assert.doesNotMatch(hub.lines.join(), /canary-in-config/);
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
