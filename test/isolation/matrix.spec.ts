// Who is answered what: every field of the public surface that somebody could ask for, asked by everybody there is.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { publicSchema } from "../../schema/public/schema.ts";
import { expected, principals } from "./expected.ts";
import { type Operation, operationsOf } from "./operations.ts";
import { type Stage, stageMatrix } from "./staged-matrix.ts";
import { ways } from "./ways.ts";

const operations = operationsOf(publicSchema, ways);

describe("the matrix of who is answered what", () => {
  let stage: Stage;
  before(async () => {
    stage = await stageMatrix();
  });
  after(() => stage[Symbol.asyncDispose]());

  it("has a row for every field that somebody could ask for, and no other", () => {
    assert.deepEqual(Object.keys(expected).sort(), operations.map((operation) => operation.field).sort());
  });

  for (const operation of operations)
    it(`${operation.field} answers each as it should`, async () => {
      assert.equal(await row(operation), expected[operation.field]);
    });

  async function row(operation: Operation): Promise<string> {
    const cells: string[] = [];
    for (const principal of principals) cells.push(await stage.ask(operation, principal));
    return cells.join(" ");
  }
});
