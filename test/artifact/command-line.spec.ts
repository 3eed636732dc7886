// The promise that a backup opens without us: Debian's age, zstd and tar, and nothing else.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstat, mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { localStorage, seal } from "#artifact/node";
import { directory, file, folder, identity, link, noise, piecesOf, sealOptions } from "./sealing.ts";

const missing = ["age", "zstd", "tar"].filter((tool) => !isInstalled(tool));
const skip = missing.length > 0 && `not installed: ${missing.join(", ")}`;

describe("a sealed backup", () => {
  it("opens with age, zstd and tar, byte for byte", { skip }, async () => {
    await using work = await workDirectory();
    const long = `${"d".repeat(200)}/${"é".repeat(100)}`;
    const bytes = Buffer.from([0x66, 0xff, 0xfe]);
    const contents = new Map<string | Buffer, Buffer>([
      ["site/index.html", Buffer.from("hello")],
      ["site/-rf", Buffer.alloc(0)],
      ["site/a\nb 🎉", noise(100_001)],
      [long, noise(513)],
      [bytes, Buffer.from("bytes")],
      ["dump.sql", noise(9_000_000)],
    ]);
    const { manifest } = await seal({
      ...sealOptions([
        folder("."),
        folder("site"),
        folder("d".repeat(200)),
        ...[...contents].map(([path, content]) =>
          path === "dump.sql"
            ? file(path, "", { size: null, content: piecesOf([content]) })
            : file(path, content, { mtimeMs: 1_700_000_000_500 }),
        ),
        link("site/current", "index.html"),
        link("site/twin", "site/index.html", "hardlink"),
      ]),
      storage: localStorage(join(work.path, "store")),
      tools: { ssh2: "1.17.0" },
    });
    const stored = join(work.path, "store", directory);
    const out = join(work.path, "out");
    await mkdir(out);
    await writeFile(join(work.path, "key.txt"), `${identity}\n`, { mode: 0o600 });
    run(`age -d -i key.txt '${join(stored, "backup.tar.zst.enc")}' | zstd -d | tar -x -C out`, work.path);

    for (const [path, content] of contents) {
      const at = Buffer.concat([Buffer.from(`${out}/`), Buffer.from(path)]);
      assert.ok((await readFile(at)).equals(content), String(path));
    }
    const facts = await lstat(join(out, "site/a\nb 🎉"));
    assert.deepEqual([facts.mtimeMs, facts.mode & 0o777], [1_700_000_000_500, 0o644]);
    assert.equal(await readlink(join(out, "site/current")), "index.html");
    const twins = await Promise.all(["site/twin", "site/index.html"].map((path) => lstat(join(out, path))));
    assert.equal(twins[0]?.ino, twins[1]?.ino);

    const sums = run(`sha256sum '${stored}'/*.enc`, work.path);
    assert.ok(sums.includes(manifest.artifact.sha256) && sums.includes(manifest.catalogue.sha256));
  });

  it("has a catalogue that opens with age and zstd as lines of JSON", { skip }, async () => {
    await using work = await workDirectory();
    await seal({ ...sealOptions([file("a", "hello")]), storage: localStorage(join(work.path, "store")) });
    await writeFile(join(work.path, "key.txt"), `${identity}\n`, { mode: 0o600 });
    const text = run(`age -d -i key.txt '${join("store", directory, "catalogue.zst.enc")}' | zstd -d`, work.path);
    const [header, entry, end] = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(header.catalogue, 1);
    assert.equal(entry.path, "a");
    assert.deepEqual(end, { end: { entries: 1, warnings: 0 } });
  });
});

function run(command: string, cwd: string): string {
  return execFileSync("bash", ["-o", "pipefail", "-c", command], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
}

function isInstalled(tool: string): boolean {
  try {
    execFileSync(tool, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function workDirectory(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "xvault-command-line-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
