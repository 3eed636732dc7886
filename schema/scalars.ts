// The scalars of both surfaces: how bytes, times and free-form facts look on the wire.
import { GraphQLError, GraphQLScalarType, Kind } from "graphql";

/** Bytes as a decimal string: sizes go past what a JSON number carries exactly. Integers are accepted too. */
export const byteCount = new GraphQLScalarType<bigint, string>({
  name: "ByteCount",
  description: "A number of bytes as a decimal string, since sizes go past 2^53. Integers are accepted as input.",
  serialize: (value) => String(BigInt(value as bigint)),
  parseValue: parseByteCount,
  parseLiteral: (node) => {
    if (node.kind !== Kind.INT && node.kind !== Kind.STRING) throw new GraphQLError("A byte count is a whole number.");
    return parseByteCount(node.value);
  },
});

/** RFC 3339, in UTC, to the millisecond. */
export const dateTime = new GraphQLScalarType<Date, string>({
  name: "DateTime",
  description: "A moment in RFC 3339, in UTC and to the millisecond, such as 2026-03-01T12:00:00.000Z.",
  serialize: (value) => (value as Date).toISOString(),
  parseValue: parseDateTime,
  parseLiteral: (node) => parseDateTime(node.kind === Kind.STRING ? node.value : null),
});

export const json = new GraphQLScalarType<unknown, unknown>({
  name: "JSON",
  description: "Any JSON value.",
});

function parseByteCount(value: unknown): bigint {
  if (typeof value === "string" && /^\d{1,19}$/.test(value)) return BigInt(value);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw new GraphQLError("A byte count is a whole number.");
}

function parseDateTime(value: unknown): Date {
  const time = typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value) : null;
  if (!time || Number.isNaN(time.getTime())) throw new GraphQLError("A moment looks like 2026-03-01T12:00:00Z.");
  return time;
}
