// The wall between tenants, tried at every argument of the public surface: what is a neighbour's looks like what is not there.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  buildClientSchema,
  type GraphQLSchema,
  getIntrospectionQuery,
  getNamedType,
  isInputObjectType,
  isObjectType,
} from "graphql";
import { type PlayedWorker, playWorker } from "../private/played-worker.ts";
import { everything } from "../private/state.ts";
import { forOperators, type Ids, inputs, mutation, stageEverything, unknown } from "../public/everything-of.ts";
import { type Person, sendOperation, stagePerson } from "../public/people.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { stageTenant } from "../stage/tenant.ts";

/** What the arguments of each query mean. A query that is not here makes the spec fail. */
const queries: Record<string, "id" | "ids" | "page" | "none" | "timetable" | "retention"> = {
  allTenants: "page",
  auditEvents: "page",
  job: "id",
  node: "id",
  nodes: "ids",
  previewRetention: "retention",
  previewSchedule: "timetable",
  restore: "id",
  schedule: "id",
  settings: "none",
  snapshot: "id",
  source: "id",
  tenant: "id",
  tenants: "page",
  users: "page",
  viewer: "none",
  worker: "id",
  workers: "page",
};
/** Mutations that nobody has to have signed in for. */
const doors: Record<string, RegExp> = {
  acceptInvitation: /INVALID_TOKEN/,
  refreshSession: /SESSION_ENDED/,
  resetPassword: /INVALID_TOKEN/,
  signIn: /SIGN_IN_FAILED/,
  signOut: /SESSION_ENDED/,
};
/** What a list takes; some have no filter, and some no choice of an order. */
const pageArguments = /^after,before,first,last(,orderBy)?(,where)?$/;

describe("a neighbour", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let schema: GraphQLSchema;
  let worker: PlayedWorker;
  let owner: Person;
  let neighbour: Person;
  let theirs: Ids;
  let own: Ids;

  before(async () => {
    // Nothing is upkept here, so that whatever changes was changed by a request.
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
    worker = await playWorker(hub);
    const [acme, next] = [await stageTenant(hub, "Acme"), await stageTenant(hub, "Next door")];
    owner = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
    neighbour = await stagePerson(hub, { tenantId: next.tenantId, role: "OWNER" });
    theirs = await stageEverything(hub, { tenant: acme, owner, worker });
    own = await stageEverything(hub, { tenant: next, owner: neighbour, worker });
    schema = buildClientSchema((await neighbour.ask(getIntrospectionQuery())).data);
  });
  after(() => stack.disposeAsync());

  const rootFields = (kind: "Query" | "Mutation") =>
    Object.values((kind === "Query" ? schema.getQueryType() : schema.getMutationType())?.getFields() ?? {});
  const askAs = async (person: Person | null, query: string, variables: object) =>
    (await sendOperation(hub.graphqlUrl, { query, variables, token: person?.token })).text;

  /** The same for a neighbour's id of any noun, for one that nothing has, and for what is no id at all. */
  async function assertNobodyCanTell(ask: (id: string) => Promise<string>, what: string): Promise<string> {
    const answers = new Set<string>();
    for (const id of Object.values(theirs)) {
      const answer = await ask(id);
      assert.equal(answer, await ask(unknown(id)), `${what} tells ${id} from an unknown id`);
      assert.doesNotMatch(answer, /INTERNAL/, what);
      answers.add(answer);
    }
    const id = theirs.source;
    for (const none of [
      "",
      "src",
      "src_",
      ` ${id}`,
      id.toUpperCase(),
      `${id}\0`,
      "\ud83d",
      "../etc",
      "x".repeat(10_000),
    ])
      answers.add(await ask(none));
    assert.equal(answers.size, 1, `${what} has more than one answer: ${[...answers]}`);
    return [...answers].join();
  }

  it("finds every query in the table above, with the arguments it is there with", () => {
    const found = rootFields("Query").map(({ name, args }) => {
      const names = args.map((argument) => argument.name).sort();
      if (names.length === 0) return [name, "none"];
      if (names.join() === "first,input") return [name, "timetable"];
      if (names.join() === "policy,sourceId,timezone") return [name, "retention"];
      return [name, pageArguments.test(names.join()) ? "page" : names.join()];
    });
    assert.deepEqual(Object.fromEntries(found), queries);
  });

  it("cannot tell by any query what there is next door", async () => {
    for (const { name, args } of rootFields("Query")) {
      if (!/^(ids?|retention)$/.test(queries[name] ?? "")) continue;
      const argument = args.find((each) => getNamedType(each.type).name === "ID")?.name;
      const query = `query ($id: ID!) { ${name}(${argument}: ${queries[name] === "ids" ? "[$id]" : "$id"}) { __typename } }`;
      const nothing = await assertNobodyCanTell((id) => askAs(neighbour, query, { id }), name);
      assert.equal(nothing, `{"data":{"${name}":${queries[name] === "ids" ? "[null]" : "null"}}}`);
    }
  });

  it("would see all of it with a part there", async () => {
    for (const [noun, id] of Object.entries(theirs)) {
      const { data } = await owner.ask(`query ($id: ID!) { node(id: $id) { __typename } }`, { id });
      const hidden = ["user", "member", "worker"].includes(noun);
      assert.equal(data.node?.__typename.toLowerCase(), hidden ? undefined : noun.toLowerCase());
    }
  });

  it("finds an input for every mutation", () => {
    assert.deepEqual(
      rootFields("Mutation")
        .map(({ name }) => name)
        .sort(),
      Object.keys(inputs(own)).sort(),
    );
  });

  it("cannot tell by any mutation what there is next door, nor change anything of it", async () => {
    const before = await everything(hub.running.hub.db);
    for (const { name, args } of rootFields("Mutation")) {
      const type = getNamedType(args[0]?.type);
      assert.ok(args.length === 1 && isInputObjectType(type), name);
      const input = inputs(own)[name] ?? {};
      for (const field of Object.values(type.getFields())) {
        if (getNamedType(field.type).name !== "ID") continue;
        assert.ok(field.name in input, `${name} is not tried with its ${field.name}`);
        const ask = (id: string) => askAs(neighbour, mutation(name), { input: { ...input, [field.name]: id } });
        // Whoever leaves out the credential of a source may also leave it empty.
        if (/Source(Draft)?$/.test(name) && field.name === "credentialId") {
          const refusal = await ask(theirs.credential);
          assert.equal(refusal, await ask(unknown(theirs.credential)));
          assert.match(refusal, /NotFoundError/);
          continue;
        }
        const refusal = await assertNobodyCanTell(ask, `${name}.${field.name}`);
        assert.match(refusal, forOperators.includes(name) ? /"code":"FORBIDDEN"/ : /"__typename":"NotFoundError"/);
      }
    }
    assert.deepEqual(await everything(hub.running.hub.db), before);
  });

  it("cannot tell by any page of their own what there is next door", async () => {
    const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    for (const [typename, id] of [
      ["Tenant", own.tenant],
      ["Source", own.source],
      ["Job", own.job],
      ["Credential", own.credential],
      ["Snapshot", own.snapshot],
    ] as const) {
      const type = schema.getType(typename);
      for (const { name, args } of isObjectType(type) ? Object.values(type.getFields()) : []) {
        if (args.length === 0) continue;
        const page = (argument: string) => `query ($id: ID!, $value: String) {
          node(id: $id) { ... on ${typename} { page: ${name}(${argument}: $value) { totalCount nodes { __typename } } } }
        }`;
        for (const [noun, row] of Object.entries(theirs))
          for (const [argument, forge] of [
            [
              "after",
              (each: string) => cursor([args.some((one) => one.name === "orderBy") ? "NEWEST_FIRST" : "", each]),
            ],
            ["before", (each: string) => cursor(["NEWEST_FIRST", each])],
            ["after", (each: string) => Buffer.from(`GPC:S:${each}`).toString("base64")],
          ] as const) {
            const answer = await askAs(neighbour, page(argument), { id, value: forge(row) });
            // A cursor is a place in an order: nothing is looked up by it, so a row that is not there has the same place.
            const nobodys = `${row.slice(0, -1)}${row.endsWith("0") ? "1" : "0"}`;
            const where = `${typename}.${name}(${argument}) of a ${noun}`;
            assert.equal(answer, await askAs(neighbour, page(argument), { id, value: forge(nobodys) }), where);
            assert.doesNotMatch(answer, /INTERNAL/, where);
          }
      }
    }
  });

  it("cannot tell by any filter of their own what there is next door", async () => {
    let tried = 0;
    for (const type of Object.values(schema.getTypeMap())) {
      if (!isObjectType(type) || type.name.startsWith("__")) continue;
      for (const { name, args } of Object.values(type.getFields())) {
        const filter = getNamedType(args.find((argument) => argument.name === "where")?.type);
        if (!isInputObjectType(filter)) continue;
        const id: string | undefined = own[type.name.toLowerCase() as keyof Ids];
        const list = `${name}(where: $where) { totalCount nodes { __typename } }`;
        const query: string =
          type.name === "Query"
            ? `query ($where: ${filter.name}) { ${list} }`
            : `query ($id: ID!, $where: ${filter.name}) { node(id: $id) { ... on ${type.name} { ${list} } } }`;
        for (const field of Object.values(filter.getFields())) {
          if (getNamedType(field.type).name !== "ID") continue;
          tried++;
          // One worker serves both, and is in both their logs.
          for (const row of Object.values(theirs).filter((each) => each !== own.worker)) {
            const of = (each: string): Promise<string> =>
              askAs(neighbour, query, { id, where: { [field.name]: each } });
            const answer = await of(row);
            assert.equal(answer, await of(unknown(row)), `${type.name}.${name}(${field.name})`);
            // What is for operators alone is nobody else's, whatever is asked for.
            assert.match(answer, /"totalCount":0,"nodes":\[\]|"code":"FORBIDDEN"/);
          }
        }
      }
    }
    assert.ok(tried > 0);
  });

  it("meets no argument but those of pages below the root", () => {
    const others = Object.values(schema.getTypeMap()).flatMap((type) => {
      if (!isObjectType(type) || type.name.startsWith("__")) return [];
      if (/^(Query|Mutation|Subscription)$/.test(type.name)) return [];
      return Object.values(type.getFields()).flatMap(({ name, args }) => {
        const names = args.map((each) => each.name).sort();
        return names.length === 0 || pageArguments.test(names.join()) ? [] : [`${type.name}.${name}(${names})`];
      });
    });
    assert.deepEqual(others, ["Schedule.nextRuns(first)", "Schedule.plannedRuns(first)"]);
  });

  it("sees their own rows alone, however far they follow them", async () => {
    const few = "(first: 3)";
    const walk = `{ viewer { memberships { tenant { id } } } tenants${few} { nodes { id
      sources${few} { nodes { id credential { id } schedules${few} { nodes { id } }
        jobs${few} { nodes { id source { id } snapshot { id job { id } } restore { id } } } } }
      apiKeys${few} { nodes { id } } invitations${few} { nodes { id } } members${few} { nodes { user { id } } }
      keys${few} { nodes { id } }
      credentials${few} { nodes { id } } schedules${few} { nodes { id } } snapshots${few} { nodes { id } }
      restores${few} { nodes { id job { id } snapshot { id job { source { credential { id } } } } } }
    } } }`;
    const seen = await askAs(neighbour, walk, {});
    for (const [noun, id] of Object.entries(own)) assert.equal(seen.includes(id), noun !== "worker", noun);
    for (const id of Object.values(theirs)) assert.ok(!seen.includes(id));
  });

  it("without a name is refused everywhere but at the door", async () => {
    const before = await everything(hub.running.hub.db);
    const refused =
      /^\{"errors":\[\{"message":"Sign in first\.".*"extensions":\{"code":"UNAUTHENTICATED"\}\}\],"data":/;
    for (const { name } of rootFields("Mutation")) {
      const answer = await askAs(null, mutation(name), { input: inputs(theirs)[name] });
      assert.match(answer, doors[name] ?? refused, name);
    }
    const id = JSON.stringify(theirs.source);
    const asked = { id: `(id: ${id}) { __typename }`, ids: `(ids: [${id}]) { __typename }` };
    const timetable = "(input: { intervalMinutes: 5 }) { __typename }";
    const retention = `(sourceId: ${id}) { __typename }`;
    const whole = { ...asked, page: " { totalCount nodes { id } }", none: " { __typename }", timetable, retention };
    for (const { name } of rootFields("Query"))
      assert.match(await askAs(null, `{ ${name}${whole[queries[name] ?? "none"]} }`, {}), refused, name);
    assert.deepEqual(await everything(hub.running.hub.db), before);
  });
});
