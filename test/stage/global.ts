// Runs once around a whole test run (`node --test --test-global-setup`): one Postgres for all its spec files.
import { type StagedServer, serverVariable, startStagedServer } from "./postgres.ts";

let server: StagedServer | undefined;

export async function globalSetup(): Promise<void> {
  server = await startStagedServer();
  process.env[serverVariable] = server.url;
}

export async function globalTeardown(): Promise<void> {
  await server?.stop();
}
