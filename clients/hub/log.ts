// The log of a process of the data plane: JSON lines that never carry a secret.
import { type Logger, pino } from "pino";
import { logFacts } from "./log-context.ts";

/** Names under which secrets travel; whatever stands there is replaced. */
const secrets = [
  ...["authorization", "identities", "passphrase", "password", "privateKey"],
  ...["sealed", "secret", "secrets", "token", "tokenHash", "url"],
];

export function createLog(service: "worker" | "restore", level: string): Logger {
  const paths = secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino({ level, base: { service }, redact: { paths, censor: "[secret]" }, mixin: logFacts });
}
