// Cursors: a place in an order, as text that a client hands back. One is a position and never a key: it opens no row.
import { GraphQLError } from "graphql";

/** One field of an order, with the kind of its values. The last field of an order is unique within its list. */
export interface OrderField {
  readonly name: string;
  readonly direction: "asc" | "desc";
  readonly kind: "String" | "Int" | "BigInt" | "DateTime";
}

type Value = string | number | bigint | Date;

/** What stands behind (or in front of) a cursor, as a filter for Prisma. */
export type Position = Record<string, unknown>;

const maxLength = 2_000;
const inDatabase = /^[^\0\p{Cs}]*$/u;

/** The cursor of a row in the order `order`, which goes by the fields `by`. */
export function formatCursor(order: string, by: readonly OrderField[], row: Record<string, unknown>): string {
  const values = by.map(({ name }) => {
    const value = row[name];
    return value instanceof Date ? value.toISOString() : typeof value === "bigint" ? String(value) : value;
  });
  return Buffer.from(JSON.stringify([order, ...values])).toString("base64url");
}

/**
 * The rows behind a cursor (`after`) or in front of it (`before`). Throws BAD_USER_INPUT for what is no cursor of this order: it
 * says nothing about any row, since none was looked at.
 */
export function parseCursor(
  side: "after" | "before",
  cursor: string,
  order: string,
  by: readonly OrderField[],
): Position {
  const [ofOrder, ...texts] = decode(cursor);
  const values = by.map((field, index) => parseValue(field, texts[index]));
  const known = values.filter((value) => value !== null);
  if (ofOrder !== order || texts.length !== by.length || known.length !== by.length)
    throw new GraphQLError(`\`${side}\` is no cursor of this list in this order.`);
  return beyond(side, by, known);
}

function decode(cursor: string): unknown[] {
  if (cursor.length > maxLength) return [];
  try {
    const decoded: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(decoded) ? decoded : [];
  } catch {
    return [];
  }
}

function parseValue({ kind }: OrderField, text: unknown): Value | null {
  if (kind === "Int") return Number.isInteger(text) && Math.abs(Number(text)) < 2 ** 31 ? Number(text) : null;
  if (typeof text !== "string" || !inDatabase.test(text)) return null;
  if (kind === "String") return text;
  if (kind === "BigInt") return /^-?\d{1,18}$/.test(text) ? BigInt(text) : null;
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) && !Number.isNaN(Date.parse(text))
    ? new Date(text)
    : null;
}

/** `a > 1 or (a = 1 and b > 2)`, and `a >= 1` for the index. */
function beyond(side: "after" | "before", by: readonly OrderField[], values: readonly Value[]): Position {
  const operators = by.map(({ direction }) => ((direction === "asc") === (side === "after") ? "gt" : "lt"));
  const branches = by.map(({ name }, index) => ({
    ...Object.fromEntries(by.slice(0, index).map((earlier, at) => [earlier.name, values[at]])),
    [name]: { [operators[index] ?? "gt"]: values[index] },
  }));
  const [first] = by;
  if (!first || branches.length === 1) return branches[0] ?? {};
  return { AND: [{ [first.name]: { [`${operators[0]}e`]: values[0] } }, { OR: branches }] };
}
