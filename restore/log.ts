// The log of the restore service: JSON lines that never carry a secret.
import { type Logger, pino } from "pino";

/** Names under which secrets travel; whatever stands there is replaced. */
const secrets = ["authorization", "identities", "privateKey", "sealed", "secret", "token", "tokenHash", "url"];

export function createLog(level: string): Logger {
  const paths = secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino({ level, base: { service: "restore" }, redact: { paths, censor: "[secret]" } });
}
