// Lists behind relations, for many rows at once.
import type { Prisma } from "../prisma/client/client.ts";
import type { Hub } from "./hub.ts";

type Rows = Record<string, unknown> & { readonly id: string };
interface Model {
  findMany(query: { where: { id: { in: string[] } }; select: object }): Promise<Rows[]>;
}

/** What `select` asks of each of these rows of `model`, by their ids; those that the hub's database does not show are left out. */
export async function loadRelated(
  hub: Hub,
  model: Prisma.ModelName,
  ids: string[],
  select: object,
): Promise<ReadonlyMap<string, Record<string, unknown>>> {
  const name = `${model.charAt(0).toLowerCase()}${model.slice(1)}` as Prisma.TypeMap["meta"]["modelProps"];
  const rows = await (hub.db[name] as unknown as Model).findMany({
    where: { id: { in: ids } },
    select: { ...select, id: true },
  });
  return new Map(rows.map((row) => [row.id, row]));
}
