// The manners of both surfaces: everything is described, named as the others are, and committed as the code prints it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import {
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
  printSchema,
} from "graphql";
import { privateSchema } from "../../schema/private/schema.ts";
import { publicSchema } from "../../schema/public/schema.ts";

const surfaces = { public: publicSchema, private: privateSchema };

/** Verbs that mutations begin with. A new one is worth a thought: it stays in the API for good. */
const verbs = [
  ...["change", "invite", "refresh", "remove", "reset", "revoke"],
  ...["drain", "pin", "retire", "retry", "rotate", "run", "set", "suspend", "undelete", "unpin"],
  ...["accept", "cancel", "create", "delete", "disable", "enable", "enrol", "pause", "resume", "sign", "start", "test"],
  ...["update", "verify"],
  ...["claim", "complete", "enter", "fail", "reconcile", "record", "register", "release", "renew"],
  ...["adopt", "compare", "report", "weigh"],
];
/** Names without a noun: the noun is who calls. */
const nounless = ["heartbeat"];

const typesOf = (schema: GraphQLSchema) =>
  Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith("__"));
const mutationsOf = (schema: GraphQLSchema) => Object.values(schema.getMutationType()?.getFields() ?? {});
const objectsOf = (schema: GraphQLSchema) => typesOf(schema).filter(isObjectType);
const fieldsOf = (type: GraphQLNamedType): GraphQLField<unknown, unknown>[] =>
  isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];
const capitalized = (name: string) => `${name.charAt(0).toUpperCase()}${name.slice(1)}`;

/** Every place where a description belongs, and what stands there. */
function* places(schema: GraphQLSchema): Generator<[place: string, description: string | null | undefined]> {
  for (const type of typesOf(schema)) {
    yield [type.name, type.description];
    for (const field of fieldsOf(type)) {
      yield [`${type.name}.${field.name}`, field.description];
      for (const argument of field.args) yield [`${type.name}.${field.name}(${argument.name})`, argument.description];
    }
    if (isInputObjectType(type))
      for (const field of Object.values(type.getFields())) yield [`${type.name}.${field.name}`, field.description];
    if (isEnumType(type)) for (const value of type.getValues()) yield [`${type.name}.${value.name}`, value.description];
  }
}

for (const [name, schema] of Object.entries(surfaces))
  describe(`the ${name} surface`, () => {
    it("is committed as the code prints it", async () => {
      const committed = await readFile(new URL(`../../schema/${name}.graphql`, import.meta.url), "utf8");
      assert.equal(committed, `${printSchema(schema)}\n`, "run npm run generate and look at the difference");
    });

    it("describes every type, field, argument, input field and value", () => {
      for (const [place, description] of places(schema)) {
        assert.ok(description, `${place} is not described`);
        assert.equal(description, description.trim());
        assert.doesNotMatch(description, /TODO|FIXME|\[internal\]/i, place);
      }
    });

    it("names mutations by a verb and a noun, with one input that is called after them", () => {
      for (const { name: mutation, args } of mutationsOf(schema)) {
        const verb = verbs.find((each) => new RegExp(`^${each}[A-Z]`).test(mutation));
        assert.ok(verb || nounless.includes(mutation), `${mutation} begins with no known verb`);
        assert.deepEqual(
          args.map((argument) => argument.name),
          ["input"],
          mutation,
        );
        const type = args[0]?.type;
        assert.ok(isNonNullType(type) && isInputObjectType(type.ofType), mutation);
        const expected = [`${capitalized(mutation)}Input`, ...(schema === privateSchema ? ["LeaseInput"] : [])];
        assert.ok(expected.includes(type.ofType.name), `${mutation} takes ${type.ofType.name}`);
      }
    });

    it("names types, fields, arguments and values in the usual cases", () => {
      for (const [place] of places(schema)) {
        const [type = "", member] = place.replace(/\(.*/, "").split(".");
        assert.match(type, /^[A-Z][A-Za-z0-9]*$/);
        if (member)
          assert.match(member, isEnumType(schema.getType(type)) ? /^[A-Z][A-Z0-9_]*$/ : /^[a-z][A-Za-z0-9]*$/, place);
      }
    });

    it("says what came of it with a type, never with `success`, `data` or `ok`", () => {
      for (const [place] of places(schema)) assert.doesNotMatch(place, /\.(success|ok|data|result|status_?code)$/i);
    });

    it("gives times as …At and bytes as …Bytes", () => {
      const usual: Record<string, RegExp> = {
        // Several of them are runs; in a filter they are bounds.
        DateTime: /(At|^at|^serverTime|^runs|Runs|After|Before)$/,
        ByteCount: /(Bytes|BytesPerSecond|^bytesDone|^bytesTotal)$/,
      };
      for (const type of typesOf(schema))
        for (const field of fieldsOf(type)) {
          const pattern = usual[getNamedType(field.type).name];
          if (pattern) assert.match(field.name, pattern, type.name);
        }
    });
  });

describe("a public mutation", () => {
  it("answers a union named after it: what it made, or a refusal", () => {
    for (const { name, type } of mutationsOf(publicSchema)) {
      assert.ok(isNonNullType(type) && isUnionType(type.ofType), name);
      assert.equal(type.ofType.name, `${capitalized(name)}Result`);
      const refusals = type.ofType.getTypes().filter(isRefusal);
      const payloads = type.ofType.getTypes().filter((each) => !isRefusal(each));
      assert.deepEqual(
        payloads.map((each) => each.name),
        [`${capitalized(name)}Payload`],
      );
      assert.ok(refusals.length > 0, name);
      for (const refusal of refusals) assert.match(refusal.name, /Error$/);
    }
  });

  /** Who is signed in already gets no second session. */
  const perhaps: Record<string, string[]> = { AcceptInvitationPayload: ["session"] };

  it("names what changed, and is null in nothing of it", () => {
    for (const { name } of mutationsOf(publicSchema)) {
      const payload = publicSchema.getType(`${capitalized(name)}Payload`);
      assert.ok(isObjectType(payload));
      const fields = fieldsOf(payload);
      const maybe = perhaps[payload.name] ?? [];
      assert.ok(fields.length > 0, name);
      for (const field of fields) assert.equal(isNonNullType(field.type), !maybe.includes(field.name), field.name);
    }
  });
});

describe("a refusal", () => {
  it("has a code and a sentence, and is called …Error", () => {
    const refusals = objectsOf(publicSchema).filter(isRefusal);
    assert.ok(refusals.length > 5);
    for (const { name } of refusals) assert.match(name, /[a-z]Error$/);
    assert.deepEqual(
      objectsOf(publicSchema).flatMap(({ name }) => (name.endsWith("Error") ? [name] : [])),
      refusals.map(({ name }) => name),
    );
  });
});

describe("a page", () => {
  const connections = objectsOf(publicSchema).filter(({ name }) => name.endsWith("Connection"));

  it("has nodes, edges, pageInfo and totalCount, none of them null, and is shared by all that list the same", () => {
    assert.ok(connections.length > 5);
    for (const connection of connections) {
      const noun = connection.name.replace(/Connection$/, "");
      assert.deepEqual(Object.fromEntries(fieldsOf(connection).map(({ name, type }) => [name, String(type)])), {
        edges: `[${noun}Edge!]!`,
        nodes: `[${noun}!]!`,
        pageInfo: "PageInfo!",
        totalCount: "Int!",
      });
      assert.match(connection.description ?? "", /20 (lines )?by default, 100 at most/);
    }
  });

  /** Lists that cannot grow without bounds. */
  const bounded = [
    "Account.memberships",
    "InvalidInputError.faults",
    "Query.nodes",
    "Query.settings",
    "Snapshot.warnings",
    "StoreInventory.left",
    "User.memberships",
    ...["RetentionVerdict.reasons", "SetTenantRecipientsPayload.keys", "Snapshot.keepReasons"],
  ];

  it("is what every list that can grow is, asked for with first, last, after and before, a filter and an order", () => {
    for (const type of objectsOf(publicSchema))
      for (const field of fieldsOf(type)) {
        const named = getNamedType(field.type);
        const paged = connections.some((each) => each === named);
        const argumentNames = field.args.map(({ name }) => name).sort();
        if (paged)
          assert.match(
            argumentNames.join(),
            /^after,before,first,last(,orderBy)?(,where)?$/,
            `${type.name}.${field.name}`,
          );
        const list = isListOf(field, isObjectType) || isListOf(field, isInterfaceType);
        if (list && !type.name.endsWith("Connection"))
          assert.ok(bounded.includes(`${type.name}.${field.name}`), field.name);
      }
  });
});

describe("a subscription", () => {
  it("is a noun and what happened to it, and carries the node", () => {
    for (const { name, type } of Object.values(publicSchema.getSubscriptionType()?.getFields() ?? {})) {
      assert.match(name, /^[a-z]+[A-Z][a-z]+ed$/);
      // What is about many tells of one after the other, and once of none.
      const [noun, isMany] = [name.replace(/s?[A-Z].*/, ""), /s[A-Z]/.test(name)];
      const payload = getNamedType(type);
      assert.equal(payload.name, capitalized(name));
      const node = fieldsOf(payload).find((field) => field.name === noun)?.type;
      assert.equal(String(node), `${capitalized(noun)}${isMany ? "" : "!"}`);
    }
  });
});

function isRefusal(type: GraphQLObjectType): boolean {
  return type.getInterfaces().some(({ name }) => name === "Failure");
}

function isListOf({ type }: GraphQLField<unknown, unknown>, kind: (type: unknown) => boolean): boolean {
  const list = isNonNullType(type) ? type.ofType : type;
  return isListType(list) && kind(getNamedType(list));
}
