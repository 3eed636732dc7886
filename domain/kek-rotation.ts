// Seals every secret anew with the KEK in use, one row a transaction, and retires the KEKs under which nothing is left.
//
// It may be killed at any row and begun again, several of it may run at once, and hubs and customers go on meanwhile: a row is opened
// and sealed under its own lock, and until the last one is done both KEKs are at hand everywhere.
import { faultPoint } from "#fault-point";
import { Prisma } from "../prisma/client/client.ts";
import { audit } from "./audit.ts";
import { now, type Transaction, transact } from "./hub.ts";
import {
  countSealedWith,
  KekError,
  type KekKeeper,
  refuseUnopenable,
  type SealedColumn,
  sealedColumns,
} from "./keks.ts";

const pageSize = 100;

export interface RotationOptions {
  /** Stops between two rows. */
  readonly signal?: AbortSignal;
  /** After each row; `left` as counted at the beginning of the round. */
  readonly onProgress?: (progress: { readonly resealed: number; readonly left: number }) => void;
}

export interface Rotation {
  /** The KEK that everything is sealed with now. */
  readonly kekId: string;
  /** By this rotation. */
  readonly resealed: number;
  /** The KEKs under which nothing is left: nothing is sealed with them ever again, and no row in the database needs them. */
  readonly retired: readonly string[];
  /** What could not be opened with any KEK at hand, or was changed: ids of rows. They keep their KEK from being retired. */
  readonly unopenable: readonly string[];
  /** Secrets that are still sealed with an earlier KEK. */
  readonly left: number;
}

/** Throws `KekError` where a KEK is not at hand, or where no hub has started with the one in use yet. */
export async function rotateKek(keeper: KekKeeper, options: RotationOptions = {}): Promise<Rotation> {
  const { db, vault } = keeper;
  const { signal, onProgress } = options;
  await refuseUnopenable(keeper, db);
  const earlier = await earlierKeks(keeper);
  const unopenable = new Set<string>();
  let resealed = 0;
  const stuck = () => unopenable.size;
  const countLeft = () => countSealedWith(db, earlier);
  // A hub that has not been told of the new KEK may seal with an earlier one meanwhile: what it sealed is found by the next round.
  for (let left = await countLeft(); left > stuck(); left = await countLeft()) {
    const before = resealed;
    const after = resealed + left;
    for (const sealed of sealedColumns)
      for await (const id of rowsUnder(keeper, sealed, earlier)) {
        signal?.throwIfAborted();
        const outcome = await resealRow(keeper, sealed, id, earlier);
        if (outcome === "unopenable") unopenable.add(id);
        if (outcome === "resealed") onProgress?.({ resealed: ++resealed, left: Math.max(0, after - resealed) });
      }
    // Others sealed what this round found, or all of it is unopenable.
    if (resealed === before && (await countLeft()) >= left) break;
  }
  const retired: string[] = [];
  for (const kekId of earlier) if (await retireKek(keeper, kekId)) retired.push(kekId);
  return { kekId: vault.kekId, resealed, retired, unopenable: [...unopenable], left: await countLeft() };
}

/** Ids of the KEKs that the one in use replaces. */
async function earlierKeks({ db, vault }: KekKeeper): Promise<string[]> {
  const keks = await db.kek.findMany({ where: { retiredAt: null }, orderBy: { generation: "asc" } });
  const current = keks.find(({ id }) => id === vault.kekId);
  if (!current)
    throw new KekError(
      `No hub has started with the KEK ${vault.kekId} yet: give it to every hub (HUB_ENCRYPTION_KEK, and the one before in HUB_ENCRYPTION_PREVIOUS_KEKS), start them again, and then rotate.`,
    );
  const newest = keks.at(-1);
  if (newest && newest.generation > current.generation)
    throw new KekError(
      `HUB_ENCRYPTION_KEK is the KEK ${vault.kekId}, and a hub has started with a newer one, ${newest.id}: rotate to that one, or to another new one.`,
    );
  return keks.filter(({ generation }) => generation < current.generation).map(({ id }) => id);
}

async function* rowsUnder(
  { db }: KekKeeper,
  { table, column }: SealedColumn,
  kekIds: readonly string[],
): AsyncGenerator<string> {
  for (let after = ""; ; ) {
    const rows = await db.$queryRaw<{ id: string }[]>`
      SELECT id FROM ${Prisma.raw(table)}
      WHERE kek_id = ANY(${[...kekIds]}::text[]) AND ${Prisma.raw(column)} IS NOT NULL AND id > ${after}
      ORDER BY id LIMIT ${pageSize}`;
    for (const { id } of rows) yield id;
    const last = rows.at(-1);
    if (!last || rows.length < pageSize) return;
    after = last.id;
  }
}

type Outcome = "resealed" | "gone" | "unopenable";

/** `gone`: it was deleted, or sealed anew by somebody else. */
function resealRow(
  keeper: KekKeeper,
  { table, column, kind }: SealedColumn,
  id: string,
  earlier: readonly string[],
): Promise<Outcome> {
  const { vault } = keeper;
  return transact(keeper, async (tx): Promise<Outcome> => {
    const [row] = await tx.$queryRaw<{ tenantId: string; kekId: string; sealed: Uint8Array }[]>`
      SELECT tenant_id AS "tenantId", kek_id AS "kekId", ${Prisma.raw(column)} AS sealed FROM ${Prisma.raw(table)}
      WHERE id = ${id} AND kek_id = ANY(${[...earlier]}::text[]) FOR UPDATE`;
    if (!row) return "gone";
    const { tenantId, kekId } = row;
    const place = { tenantId, rowId: id, kind };
    const secret = opened(keeper, place, row.sealed);
    if (secret === null) return "unopenable";
    const sealed = vault.seal(place, secret);
    await tx.$executeRaw`SELECT set_config('xvault.resealing', 'on', true)`;
    await tx.$executeRaw`
      UPDATE ${Prisma.raw(table)} SET ${Prisma.raw(column)} = ${sealed}, kek_id = ${vault.kekId} WHERE id = ${id}`;
    await audit(
      tx,
      { kind: "system" },
      { tenantId, verb: "rotateKek", objectId: id, before: { kekId }, after: { kekId: vault.kekId } },
    );
    faultPoint("kek.row-resealed");
    return "resealed";
  });
}

function opened({ vault }: KekKeeper, place: Parameters<typeof vault.open>[0], sealed: Uint8Array): string | null {
  try {
    return vault.open(place, sealed);
  } catch {
    return null;
  }
}

/** False where something is sealed with it still. Waits for whoever is sealing with it now: the trigger `guard_kek` holds its row. */
function retireKek(keeper: KekKeeper, kekId: string): Promise<boolean> {
  return transact(keeper, async (tx: Transaction) => {
    const at = await now(tx);
    const { count } = await tx.kek.updateMany({ where: { id: kekId, retiredAt: null }, data: { retiredAt: at } });
    // Another rotation did.
    if (count === 0) return true;
    if ((await countSealedWith(tx, [kekId])) > 0) throw new StillInUse();
    await audit(tx, { kind: "system" }, { tenantId: null, verb: "retireKek", objectId: kekId });
    return true;
  }).catch((error: unknown) => {
    if (error instanceof StillInUse) return false;
    throw error;
  });
}

/** Takes the retirement back. */
class StillInUse extends Error {}
