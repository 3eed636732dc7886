// Installs PostGraphile outside of this project, whose graphql is too new for it, and runs it in a process of its own.
import { execFile, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { access, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { SignJWT } from "jose";
import { type Member, type Served, served } from "./served.ts";

const secret = "a secret of the bench alone, which signs nothing else";
const folder = new URL("peer/", import.meta.url);

/** Installs the exact versions of peer/package-lock.json once for each machine; answers the path of the server to run. */
export async function installPeer(): Promise<string> {
  const lock = await readFile(new URL("package-lock.json", folder));
  const home = join(
    tmpdir(),
    `xvault-bench-postgraphile-${createHash("sha256").update(lock).digest("hex").slice(0, 12)}`,
  );
  const complete = join(home, "installed");
  await mkdir(home, { recursive: true });
  for (const name of ["package.json", "package-lock.json", "server.mjs"])
    await copyFile(new URL(name, folder), join(home, name));
  if (await access(complete).catch(() => true)) {
    process.stdout.write("installing PostGraphile\n");
    await promisify(execFile)("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd: home,
      timeout: 600_000,
    });
    await writeFile(complete, "");
  }
  return join(home, "server.mjs");
}

export interface PeerOptions {
  readonly server: string;
  readonly databaseUrl: string;
  readonly maxConnections: number;
  /** As the role behind row-level security, with the settings of a request; otherwise as the owner of the tables. */
  readonly rowSecurity: boolean;
}

/** Disposing ends its process. */
export function startPeer({ server, databaseUrl, maxConnections, rowSecurity }: PeerOptions): Promise<Served> {
  return served(
    fork(server, {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [],
      env: {
        PATH: process.env.PATH,
        NODE_ENV: "production",
        GRAPHILE_ENV: "production",
        DATABASE_URL: databaseUrl,
        JWT_SECRET: secret,
        MAX_CONNECTIONS: String(maxConnections),
        ROW_SECURITY: rowSecurity ? "on" : "off",
      },
    }),
  );
}

/** What its users put into a token: who it is, and the tenants that they see. */
export function peerToken({ userId, tenantId }: Member): Promise<string> {
  return new SignJWT({ tenants: [tenantId] })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(userId)
    .setExpirationTime("8h")
    .sign(new TextEncoder().encode(secret));
}
