// The hub's log: JSON lines that never carry a secret.
import { type DestinationStream, type Logger, pino } from "pino";
import { logFacts } from "../clients/hub/log-context.ts";

/** Names under which secrets travel; whatever stands there is replaced. */
const secrets = [
  "authorization",
  "password",
  "passphrase",
  "privateKey",
  "token",
  "accessToken",
  "secret",
  "kek",
  "jwtSecret",
];

export function createLog(level: string, destination?: DestinationStream): Logger {
  const paths = secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  const options = {
    level,
    base: { service: "hub" },
    redact: { paths, censor: "[secret]" },
    serializers: { err: describeError },
    mixin: logFacts,
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Errors of database drivers hang on to the client and its settings: only what they say of themselves is logged. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  const code = (error as { code?: unknown }).code;
  return {
    name,
    message,
    stack,
    ...(typeof code === "string" && { code }),
    ...(cause !== undefined && { cause: describeError(cause) }),
  };
}
