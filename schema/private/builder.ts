// The builder of the private surface. It shares no type with the public one, so that no public type can carry a secret.
import SchemaBuilder from "@pothos/core";
import type { WorkerActor } from "../../domain/actor.ts";
import type { Hub } from "../../domain/hub.ts";
import { getDatamodel } from "../../prisma/pothos.ts";
import { byteCount, dateTime, json } from "../scalars.ts";

export interface PrivateContext {
  readonly hub: Hub;
  readonly worker: WorkerActor;
}

export const builder = new SchemaBuilder<{
  Context: PrivateContext;
  DefaultFieldNullability: false;
  DefaultInputFieldRequiredness: true;
  Scalars: {
    ID: { Input: string; Output: string };
    ByteCount: { Input: bigint; Output: bigint | number };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
  };
}>({
  plugins: [],
  defaultFieldNullability: false,
  defaultInputFieldRequiredness: true,
  // No plugin reads this here: the public builder's plugin makes the option compulsory for every builder of the program.
  prisma: { client: ({ hub }) => hub.db, dmmf: getDatamodel() },
});

builder.addScalarType("ByteCount", byteCount);
builder.addScalarType("DateTime", dateTime);
builder.addScalarType("JSON", json);

builder.queryType({ description: "The private surface has commands only; what there is to read is who speaks." });
builder.mutationType({ description: "Commands of the data plane, each repeatable under its lease." });
