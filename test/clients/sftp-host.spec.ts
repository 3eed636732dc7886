import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import SftpClient from "ssh2-sftp-client";
import { type SftpHost, serveDirectory } from "../../clients/demo/sftp-host.ts";

const content = randomBytes(3_000_000);

interface Staged extends AsyncDisposable {
  readonly directory: string;
  readonly host: SftpHost;
  readonly client: SftpClient;
  /** Fingerprint of the host key that the client saw. */
  readonly seen: string;
}

async function stage(): Promise<Staged> {
  const directory = await mkdtemp(join(tmpdir(), "xvault-sftp-"));
  await mkdir(join(directory, "tree", "täst 文件"), { recursive: true });
  await writeFile(join(directory, "tree", "big.bin"), content, { mode: 0o640 });
  await writeFile(join(directory, "tree", "täst 文件", "a b.txt"), "hello");
  await writeFile(join(directory, "outside.txt"), "not to be seen");
  await symlink("big.bin", join(directory, "tree", "link"));
  await symlink("../outside.txt", join(directory, "tree", "way-out"));
  await symlink("..", join(directory, "tree", "door"));
  const host = await serveDirectory(join(directory, "tree"));
  const client = new SftpClient("test", { error: () => undefined, end: () => undefined, close: () => undefined });
  let seen = "";
  const { port, username, password } = host;
  const hostVerifier = (key: Buffer) => {
    seen = `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
    return true;
  };
  await client.connect({ host: "127.0.0.1", port, username, password, hostVerifier });
  return {
    directory,
    host,
    client,
    seen,
    async [Symbol.asyncDispose]() {
      await client.end();
      await host[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

describe("the demo's SFTP host", () => {
  it("lists and serves its directory byte for byte, links as links", async () => {
    await using staged = await stage();
    const { client } = staged;
    const listed = (await client.list("/")).map(({ name, type, size }) => [name, type, type === "-" ? size : 0]);
    assert.deepEqual(listed.sort(), [
      ["big.bin", "-", content.length],
      ["door", "l", 0],
      ["link", "l", 0],
      ["täst 文件", "d", 0],
      ["way-out", "l", 0],
    ]);
    assert.ok(content.equals((await client.get("/big.bin")) as Buffer));
    assert.ok(content.equals((await client.get("/link")) as Buffer));
    assert.equal(String(await client.get("/täst 文件/a b.txt")), "hello");
    assert.equal((await client.stat("/big.bin")).mode & 0o7777, 0o640);
    assert.equal(await client.realPath("."), "/");
  });

  it("keeps apart what many reads at a time ask for", async () => {
    await using staged = await stage();
    const copies = await Promise.all(Array.from({ length: 8 }, () => staged.client.get("/big.bin")));
    for (const copy of copies) assert.ok(content.equals(copy as Buffer));
  });

  it("shows the key whose fingerprint it tells", async () => {
    await using staged = await stage();
    assert.equal(staged.seen, staged.host.fingerprint);
  });

  it("lets nobody in without the password", async () => {
    await using staged = await stage();
    const { port, username } = staged.host;
    const stranger = new SftpClient("stranger", {
      error: () => undefined,
      end: () => undefined,
      close: () => undefined,
    });
    await assert.rejects(stranger.connect({ host: "127.0.0.1", port, username, password: "guess" }), /authentication/i);
  });

  it("shows nothing outside of its directory, by no path and through no link", async () => {
    await using staged = await stage();
    const { client } = staged;
    for (const path of ["/../outside.txt", "/way-out", "/door/outside.txt"])
      await assert.rejects(client.get(path), path);
    await assert.rejects(client.list("/door"));
  });

  it("lets nothing be changed", async () => {
    await using staged = await stage();
    const { client } = staged;
    const changes = {
      put: () => client.put(Buffer.from("x"), "/new.txt"),
      overwrite: () => client.put(Buffer.from("x"), "/big.bin"),
      delete: () => client.delete("/big.bin"),
      rename: () => client.rename("/big.bin", "/other.bin"),
      mkdir: () => client.mkdir("/new"),
      chmod: () => client.chmod("/big.bin", 0o777),
    };
    for (const [name, change] of Object.entries(changes)) await assert.rejects(change(), name);
    assert.ok(content.equals((await client.get("/big.bin")) as Buffer));
  });
});
