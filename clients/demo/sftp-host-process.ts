// Serves a directory over SFTP until whoever started it is gone or says so; `keep` lets it outlive them.
import { serveDirectory } from "./sftp-host.ts";

const stop = Promise.withResolvers<void>();
let kept = false;
process.on("SIGTERM", () => stop.resolve());
process.on("message", (message: { kind?: unknown } | null) => {
  kept ||= message?.kind === "keep";
});
process.once("disconnect", () => kept || stop.resolve());

try {
  await using host = await serveDirectory(process.argv[2] ?? "");
  const { port, username, password, fingerprint } = host;
  process.send?.({ kind: "ready", host: host.host, port, username, password, fingerprint });
  await stop.promise;
} catch (error) {
  process.send?.({ kind: "failed", message: `The demo's SFTP server cannot start: ${(error as Error).message}` });
  process.exitCode = 1;
}
if (process.connected) process.disconnect();
