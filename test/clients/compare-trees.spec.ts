import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { compareTrees } from "../../clients/demo/compare-trees.ts";
import { makeSampleTree } from "../../clients/demo/sample-tree.ts";
import { unpack } from "../../clients/demo/unpack.ts";

const { signal } = new AbortController();

interface Pair extends AsyncDisposable {
  readonly directory: string;
  readonly wanted: string;
  readonly found: string;
}

/** A small tree, twice. */
async function twice(): Promise<Pair> {
  const directory = await mkdtemp(join(tmpdir(), "xvault-compare-"));
  for (const side of ["wanted", "found"]) {
    const root = join(directory, side);
    await mkdir(join(root, "etc"), { recursive: true });
    await writeFile(join(root, "etc/hosts"), "127.0.0.1 localhost\n", { mode: 0o644 });
    await symlink("hosts", join(root, "etc/names"));
    await mkdir(join(root, "empty"));
  }
  const [wanted, found] = [join(directory, "wanted"), join(directory, "found")];
  return { directory, wanted, found, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

const changes: [string, (root: string) => Promise<unknown>, string][] = [
  [
    "another byte",
    (root) => writeFile(join(root, "etc/hosts"), "127.0.0.1 localhosT\n"),
    "etc/hosts has another content",
  ],
  ["another length", (root) => writeFile(join(root, "etc/hosts"), "short"), "etc/hosts had 20 bytes and has 5"],
  ["another mode", (root) => chmod(join(root, "etc/hosts"), 0o600), "etc/hosts had mode 0644 and has 0600"],
  ["another mode of a directory", (root) => chmod(join(root, "empty"), 0o700), "empty had mode 0755 and has 0700"],
  [
    "another target",
    (root) => rm(join(root, "etc/names")).then(() => symlink("host", join(root, "etc/names"))),
    "etc/names pointed to hosts and points to host",
  ],
  [
    "another kind",
    (root) => rm(join(root, "etc/names")).then(() => writeFile(join(root, "etc/names"), "")),
    "etc/names was a link and came back as a file",
  ],
  ["a missing entry", (root) => rm(join(root, "empty"), { recursive: true }), "empty did not come back"],
  ["an entry too many", (root) => writeFile(join(root, "new"), ""), "new came back, and had not been there"],
  [
    "another name",
    (root) => rename(join(root, "empty"), join(root, "Empty")),
    "empty did not come back; Empty came back, and had not been there",
  ],
];

describe("two trees", () => {
  for (const [name, change, difference] of changes)
    it(`differ by ${name}`, async () => {
      await using pair = await twice();
      await change(pair.found);
      const { differences } = await compareTrees(pair.wanted, pair.found, signal);
      assert.equal(differences.join("; "), difference);
    });

  it("are the same where nothing differs, and everything is counted", async () => {
    await using pair = await twice();
    execFileSync("mkfifo", [join(pair.wanted, "pipe")]);
    const comparison = await compareTrees(pair.wanted, pair.found, signal);
    assert.deepEqual(comparison, { files: 1, directories: 2, links: 1, bytes: 20, leftOut: 1, differences: [] });
  });
});

describe("the sample tree", () => {
  it("comes through a tar file without a difference, odd names and all", async () => {
    await using pair = await twice();
    const [sample, unpacked, tarFile] = ["sample", "unpacked", "sample.tar"].map((name) => join(pair.directory, name));
    assert.ok(sample && unpacked && tarFile);
    await makeSampleTree(sample);
    await mkdir(unpacked);
    execFileSync("tar", ["-c", "-f", tarFile, "-C", sample, "."]);
    await unpack(tarFile, unpacked, signal);
    const { files, links, bytes, differences } = await compareTrees(sample, unpacked, signal);
    assert.deepEqual(differences, []);
    assert.ok(files > 200 && links > 4 && bytes > 5_000_000, `${files} files, ${links} links, ${bytes} bytes`);
  });

  it("is not unpacked where the tar file is none", async () => {
    await using pair = await twice();
    const tarFile = join(pair.directory, "broken.tar");
    await writeFile(tarFile, "no tar at all".repeat(100));
    await assert.rejects(unpack(tarFile, pair.found, signal), {
      name: "CommandError",
      message: /^tar could not unpack/,
    });
  });
});
