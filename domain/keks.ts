// Keeps the books of the key-encryption keys (KEKs), by their ids: with which of them secrets are sealed, and whether all are at hand.
import { Prisma } from "../prisma/client/client.ts";
import { type Hub, type Transaction, transact } from "./hub.ts";
import type { SecretPlace } from "./vault.ts";

/** Everything that is sealed with a KEK: where the ciphertext stands, beside `id`, `tenant_id` and `kek_id`. */
export const sealedColumns = [
  { table: "credentials", column: "ciphertext", kind: "credential" },
  { table: "tenant_keys", column: "sealed_private_key", kind: "tenant-key" },
] as const satisfies readonly { table: string; column: string; kind: SecretPlace["kind"] }[];

export type SealedColumn = (typeof sealedColumns)[number];

/** A hub that has not the KEKs that it needs; the message says to an operator which, and what to do. */
export class KekError extends Error {
  override readonly name = "KekError";
}

/** What a hub's domain needs to look after KEKs: nothing of a request. */
export type KekKeeper = Pick<Hub, "db" | "announce" | "vault">;

/**
 * Enters the KEK that this hub seals with, at every start. Throws `KekError` where something is sealed with a KEK that is not at hand,
 * or where this one has been retired: such a hub must not start. Several hubs may start at once.
 */
export async function registerKek(keeper: KekKeeper): Promise<void> {
  const { vault } = keeper;
  try {
    await transact(keeper, async (tx) => {
      // One after another: two hubs with different KEKs on a new database must not both find it empty.
      await tx.$executeRaw`LOCK TABLE keks IN SHARE ROW EXCLUSIVE MODE`;
      await refuseUnopenable(keeper, tx);
      const known = await tx.kek.findUnique({ where: { id: vault.kekId } });
      if (known?.retiredAt)
        throw new KekError(
          `HUB_ENCRYPTION_KEK is the KEK ${vault.kekId}, which was retired on ${known.retiredAt.toISOString()}: set the one that replaced it, or a new one.`,
        );
      // What a hub of an older version sealed with: it kept no books.
      const unbooked = (await keksInUse(tx)).filter((id) => id !== vault.kekId);
      await tx.kek.createMany({ data: unbooked.map((id) => ({ id })), skipDuplicates: true });
      if (!known) await tx.kek.create({ data: { id: vault.kekId } });
    });
  } catch (error) {
    if (!isMissingTable(error)) throw error;
    throw new KekError('The database is of an older version: run "xvault migrate" first.', { cause: error });
  }
}

/** Throws `KekError` where something is sealed, or is about to be, with a KEK that is not at hand. */
export async function refuseUnopenable({ vault }: KekKeeper, tx: Transaction): Promise<void> {
  const missing = (await keksInUse(tx)).filter((id) => !vault.kekIds.includes(id));
  if (missing.length === 0) return;
  const secrets = await countSealedWith(tx, missing);
  throw new KekError(
    `This database's secrets are sealed with the KEK ${missing.join(" and ")} (${secrets} of them), and this hub was started with ${vault.kekIds.join(", ")}: ` +
      "HUB_ENCRYPTION_KEK is not the key that this database was used with. Set that key, or add it to HUB_ENCRYPTION_PREVIOUS_KEKS.",
  );
}

/** Ids of the KEKs that are not retired, and of those that a row says it is sealed with. */
export async function keksInUse(tx: Transaction): Promise<string[]> {
  const rows = await tx.$queryRaw<{ id: string }[]>`
    SELECT id FROM keks WHERE retired_at IS NULL
    UNION SELECT kek_id FROM credentials
    UNION SELECT kek_id FROM tenant_keys WHERE sealed_private_key IS NOT NULL`;
  return rows.map(({ id }) => id).sort();
}

/** How many secrets are sealed with one of these KEKs. */
export async function countSealedWith(tx: Transaction, kekIds: readonly string[]): Promise<number> {
  let count = 0;
  for (const { table, column } of sealedColumns) {
    const [row] = await tx.$queryRaw<{ count: number }[]>`
      SELECT count(*)::int AS count FROM ${Prisma.raw(table)}
      WHERE kek_id = ANY(${[...kekIds]}::text[]) AND ${Prisma.raw(column)} IS NOT NULL`;
    count += row?.count ?? 0;
  }
  return count;
}

function isMissingTable(error: unknown): boolean {
  return (
    error instanceof Prisma.PrismaClientKnownRequestError &&
    (error.code === "P2021" || /relation "?keks"? does not exist/.test(error.message))
  );
}
