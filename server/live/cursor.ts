// How far a subscriber has come: which transactions it has been told of, as Postgres itself writes it down.

/**
 * A Postgres snapshot, `xmin:xmax:xip,…`: everything before xmin is told, nothing from xmax on, and what is listed was still under
 * way. Unlike a time or a sequence it misses no transaction that commits late.
 */
export type Cursor = string;

/** A cursor as subscribers hold it. Null: the present state is not all told yet, so that whoever resumes begins anew. */
export function formatCursor(cursor: Cursor | null): string {
  return Buffer.from(cursor ?? "").toString("base64url") || "0";
}

/** The reverse of `formatCursor`; undefined for what it never wrote. */
export function parseCursor(text: string): Cursor | null | undefined {
  if (text === "0") return null;
  if (!/^[A-Za-z0-9_-]{1,8192}$/.test(text)) return undefined;
  const cursor = Buffer.from(text, "base64url").toString("latin1");
  const parts = /^([1-9]\d{0,17}):([1-9]\d{0,17}):((?:[1-9]\d{0,17}(?:,|$))*)$/.exec(cursor);
  if (!parts || cursor.endsWith(",")) return undefined;
  const [xmin = 0n, xmax = 0n] = [parts[1], parts[2]].map((xid = "") => BigInt(xid));
  // Postgres takes nothing else for a snapshot.
  let last = xmin - 1n;
  for (const xid of (parts[3] ?? "").split(",").filter(Boolean).map(BigInt)) {
    if (xid <= last || xid >= xmax) return undefined;
    last = xid;
  }
  return xmin <= xmax ? cursor : undefined;
}

/** Whether this cursor knows of transactions that had not begun at the other: it comes from another life of the database. */
export function isAheadOf(cursor: Cursor, other: Cursor): boolean {
  const newest = (each: Cursor) => BigInt(each.split(":")[1] ?? 0);
  return newest(cursor) > newest(other);
}
