// The log of a worker: JSON lines that never carry a secret.
import { type Logger, pino } from "pino";

/** Names under which secrets travel; whatever stands there is replaced. */
const secrets = ["authorization", "passphrase", "password", "privateKey", "sealed", "secret", "secrets", "token"];

export function createLog(level: string): Logger {
  const paths = secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino({ level, base: { service: "worker" }, redact: { paths, censor: "[secret]" } });
}
