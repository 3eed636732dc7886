// Tells what a failed query means: that others were in the way or quicker, or that the database is not there. Anything else is a fault of ours.
import { Prisma } from "./client/client.ts";

/** What the driver makes of an error, where one came as far as the driver. */
interface DriverCause {
  readonly kind?: string;
  /** SQLSTATE. */
  readonly originalCode?: string;
}

/**
 * A serialization failure or a deadlock: the same transaction may succeed at once. Prisma gives it a code of its own for its own
 * queries only; for raw ones, and for what fails at the commit, the driver's cause tells.
 */
export function isWriteConflict(error: unknown): boolean {
  return driverCause(error)?.kind === "TransactionWriteConflict" || prismaCode(error) === "P2034";
}

/** Another row has the same key, whichever way the query was made. */
export function isUniqueViolation(error: unknown): boolean {
  return prismaCode(error) === "P2002" || driverCause(error)?.originalCode === "23505";
}

/** The database is away, starting, overloaded or too slow: the same may succeed later, and what was asked may even have been done. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { kind = "", originalCode = "" } = driverCause(error) ?? {};
  return (
    kindsOfAbsence.has(kind) ||
    statesOfAbsence.test(originalCode) ||
    codesOfAbsence.has(prismaCode(error) ?? "") ||
    wordsOfAbsence.has(error.message) ||
    ("syscall" in error && "code" in error && /^E(CONN|PIPE|TIMEDOUT|HOST|NET|AI_AGAIN)/.test(String(error.code)))
  );
}

const kindsOfAbsence: ReadonlySet<string> = new Set([
  "DatabaseNotReachable",
  "ConnectionClosed",
  "SocketTimeout",
  "TooManyConnections",
]);

/** Lost connections, too few resources, shut down or starting, a statement or a session that took too long. */
const statesOfAbsence = /^(08...|53...|57P0[1-5]|57014|25P0[34])$/;

/** Not reached, timed out, closed, no free connection or one too many, a transaction that found no connection or no end in time. */
const codesOfAbsence: ReadonlySet<string> = new Set(["P1001", "P1002", "P1008", "P1017", "P2024", "P2028", "P2037"]);

/** What `pg` and its pool say where there is no code. */
const wordsOfAbsence: ReadonlySet<string> = new Set([
  "Connection terminated",
  "Connection terminated unexpectedly",
  "Connection terminated due to connection timeout",
  "timeout exceeded when trying to connect",
  "Query read timeout",
  "Client has encountered a connection error and is not queryable",
  "Client was closed and is not queryable",
  // The hub itself is going down.
  "Cannot use a pool after calling end on the pool",
]);

function prismaCode(error: unknown): string | null {
  return error instanceof Prisma.PrismaClientKnownRequestError ? error.code : null;
}

function driverCause(error: unknown): DriverCause | null {
  if (!(error instanceof Error)) return null;
  const raised =
    error instanceof Prisma.PrismaClientKnownRequestError ? (error.meta?.driverAdapterError as unknown) : error;
  return raised instanceof Error && raised.name === "DriverAdapterError" ? ((raised.cause ?? {}) as DriverCause) : null;
}
