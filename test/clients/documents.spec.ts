import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { buildSchema, type DocumentNode, Kind, validate } from "graphql";

const directory = new URL("../../clients/api/", import.meta.url);

async function everyDocument(): Promise<[string, DocumentNode][]> {
  const files = (await readdir(directory)).filter((name) => /^[a-z-]+\.ts$/.test(name));
  const modules = await Promise.all(files.map((name) => import(new URL(name, directory).href)));
  const exported = modules.flatMap((module: object) => Object.entries(module));
  return exported.filter(([, value]) => value?.kind === Kind.DOCUMENT);
}

describe("the documents of the client", () => {
  it("are all valid on the public surface", async () => {
    const schema = buildSchema(await readFile(new URL("../../schema/public.graphql", import.meta.url), "utf8"));
    const documents = (await everyDocument()).filter(([, { definitions }]) =>
      definitions.some(({ kind }) => kind === Kind.OPERATION_DEFINITION),
    );
    assert.ok(documents.length > 20, `only ${documents.length} documents were found`);
    for (const [name, document] of documents)
      assert.deepEqual(
        validate(schema, document).map(({ message }) => message),
        [],
        name,
      );
  });
});
