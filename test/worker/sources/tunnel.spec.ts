import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "../../../server/one-machine/port.ts";
import { connectSsh, type SshConnection } from "../../../worker/sources/ssh/connection.ts";
import { openTunnel } from "../../../worker/sources/ssh/tunnel.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { seededBytes, sha256 } from "../../stage/tree.ts";
import { loopback } from "./reading.ts";

describe("a tunnel", { skip: missingOpenSsh ?? false }, () => {
  let sshd: StagedOpenSsh;
  let tempBase: string;
  before(async () => {
    sshd = await stageOpenSsh();
    tempBase = await mkdtemp(join(tmpdir(), "xvault-tunnel-"));
  });
  after(async () => {
    await sshd?.[Symbol.asyncDispose]();
    await rm(tempBase, { recursive: true, force: true });
  });

  function toSshd(): Promise<SshConnection> {
    const { host, port, username, password, hostKey } = sshd;
    const target = { host, port, username, signIn: { password }, pinnedHostKey: hostKey };
    const signal = new AbortController().signal;
    return connectSsh({ target, jump: null, allowedNetworks: loopback, signal, stallMs: 30_000 });
  }
  const leadTo = (connection: SshConnection, port: number, base = tempBase) =>
    openTunnel(connection, { host: "127.0.0.1", port, tempBase: base, socketName: ".s.PGSQL.1" });

  it("leads every connection on, in both directions and to both ends", async () => {
    await using echo = await serve((socket) => socket.pipe(socket));
    await using connection = await toSshd();
    await using tunnel = await leadTo(connection, echo.port);
    assert.equal((await stat(tunnel.directory)).mode & 0o777, 0o700);
    const bytes = seededBytes(3_000_000, "tunnel");
    const there = async () => {
      const socket = connect({ path: tunnel.path, allowHalfOpen: true });
      socket.end(bytes);
      return sha256(await everything(socket));
    };
    assert.deepEqual(await Promise.all([there(), there(), there()]), Array(3).fill(sha256(bytes)));
    assert.equal(tunnel.refusal(), null);
  });

  it("ends a connection that nothing answers, and says so", async () => {
    await using connection = await toSshd();
    await using tunnel = await leadTo(connection, await freePort());
    const socket = connect(tunnel.path);
    assert.equal((await everything(socket)).length, 0);
    assert.equal(tunnel.refusal(), "unreachable");
  });

  it("holds back a server whose reader is slow", async () => {
    let sent = 0;
    await using endless = await serve((socket) => {
      const chunk = Buffer.alloc(65_536);
      const more = () => {
        while (!socket.destroyed && socket.write(chunk)) sent += chunk.length;
      };
      socket.on("drain", more);
      more();
    });
    await using connection = await toSshd();
    await using tunnel = await leadTo(connection, endless.port);
    const socket = connect(tunnel.path);
    await once(socket, "connect");
    socket.pause();
    await pause(1_000);
    const then = sent;
    await pause(500);
    assert.equal(sent, then, "it goes on sending");
    assert.ok(sent < 32 * 1_048_576, `${sent} bytes are on their way`);
    socket.destroy();
  });

  it("ends with its SSH connection", async () => {
    await using echo = await serve((socket) => socket.pipe(socket));
    await using connection = await toSshd();
    await using tunnel = await leadTo(connection, echo.port);
    const socket = connect(tunnel.path);
    socket.write("x");
    await once(socket, "data");
    await sshd.dropConnections();
    await everything(socket);
    await assert.rejects(once(connect(tunnel.path), "connect"), { code: "ENOENT" });
  });

  it("leaves nothing behind, and no connection open", async () => {
    await using echo = await serve((socket) => socket.pipe(socket));
    await using connection = await toSshd();
    const tunnel = await leadTo(connection, echo.port);
    const socket = connect(tunnel.path);
    socket.write("x");
    await once(socket, "data");
    await tunnel[Symbol.asyncDispose]();
    await everything(socket);
    assert.deepEqual(await readdir(tempBase), []);
  });

  it("goes to the system's temporary directory where a socket's path would be too long", async () => {
    await using connection = await toSshd();
    const long = join(tempBase, "d".repeat(90));
    await using tunnel = await leadTo(connection, 1, long);
    assert.equal(tunnel.directory.startsWith(join(tmpdir(), "tunnel-")), true);
  });
});

async function serve(take: (socket: Socket) => void): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    take(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Also of a connection that is reset. */
async function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk);
  } catch {
    // What came before it counts.
  }
  return Buffer.concat(chunks);
}
