// A loopback SFTP server over one directory: a password and a host key made on the spot, and nothing that can be written.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { realpath } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import ssh2, { type Connection } from "ssh2";
import { serveFiles } from "./sftp-files.ts";

export interface SftpHost extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** Of the host key, as `SHA256:…`. */
  readonly fingerprint: string;
}

const username = "demo";

/** Clients see `directory` as `/`. Disposing ends every connection. */
export async function serveDirectory(directory: string): Promise<SftpHost> {
  const root = await realpath(directory);
  const password = randomBytes(24).toString("base64url");
  const key = ssh2.utils.generateKeyPairSync("ed25519");
  const connections = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [key.private] }, (connection) => {
    connections.add(connection);
    // Or every small answer would wait for more to go with it. The types leave the method out.
    (connection as Connection & { setNoDelay(on: boolean): void }).setNoDelay(true);
    connection.on("error", () => undefined);
    connection.on("close", () => connections.delete(connection));
    connection.on("authentication", (attempt) => {
      const known =
        attempt.method === "password" && attempt.username === username && isSame(attempt.password, password);
      if (known) attempt.accept();
      else attempt.reject(["password"]);
    });
    connection.on("session", (accept) => accept().on("sftp", (acceptSftp) => serveFiles(acceptSftp(), root)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { address: host, port } = server.address() as AddressInfo;
  return {
    host,
    port,
    username,
    password,
    fingerprint: fingerprintOf(key.public),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.end();
      await closed;
    },
  };
}

function isSame(given: string, wanted: string): boolean {
  const [a, b] = [given, wanted].map((text) => createHash("sha256").update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

/** As `ssh-keygen -l` writes it. */
function fingerprintOf(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
