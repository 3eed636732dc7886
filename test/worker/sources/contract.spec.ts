// What every type of source promises, against a real server of its kind and every way there is to it.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { localStorage, openArtifact, printablePath, seal, snapshotDirectory } from "#artifact/node";
import { freePort } from "../../../server/one-machine/port.ts";
import type { Source } from "../../../worker/sources/source.ts";
import { SourceError } from "../../../worker/sources/source-error.ts";
import { stageFaultProxy } from "../../stage/fault-proxy.ts";
import { connectStaged, kinds, type StagedKind } from "./staged-kinds.ts";

const ids = { tenantId: "ten_1", sourceId: "src_1", snapshotId: "snp_1", jobId: "job_1", workerId: "wrk_1" };
const stallMs = 1_000;
/** What a backup that lost its server may end as. */
const lost = ["SOURCE_DISCONNECTED", "SOURCE_STALLED", "DUMP_FAILED", "DUMP_TRUNCATED"];

for (const [name, { missing, stage }] of Object.entries(kinds))
  describe(`a source of type ${name}`, { skip: missing ?? false }, () => {
    const stack = new AsyncDisposableStack();
    let kind: StagedKind;
    let base: string;

    before(async () => {
      kind = await stage(stack);
      base = await mkdtemp(join(tmpdir(), "xvault-contract-"));
      stack.defer(() => rm(base, { recursive: true, force: true }));
    });
    after(() => stack.disposeAsync());

    /** Into an empty store; answers what was made. */
    async function sealed(source: Source, signal = new AbortController().signal) {
      const identity = await generateX25519Identity();
      const directory = await mkdtemp(join(base, "store-"));
      const storage = localStorage(directory);
      const made = await seal({
        ...{ entries: source.entries(() => undefined), ids, storage, attempt: "1", signal, createdAt: new Date() },
        ...{ recipients: [await identityToRecipient(identity)], spoolDirectory: base },
        sourceFacts: () => source.facts(),
      });
      return { ...made, identity, storage, directory };
    }

    it("says what it is: host keys where there are any, names of what is there, programs, remarks", async () => {
      await using source = await connectStaged(kind, { pinned: { hostKey: null, jumpHostKey: null } });
      const { hostKey, jumpHostKey, serverVersion, sampleEntries, tools, remarks } = await source.identify();
      assert.deepEqual([hostKey, jumpHostKey], [kind.hostKey, null]);
      assert.ok(serverVersion && serverVersion.length < 200, `${serverVersion}`);
      assert.ok(sampleEntries.length > 0 && sampleEntries.length <= 20, `${sampleEntries}`);
      assert.ok(
        Object.values(tools).every((version) => /^[\w.+:~ ()-]{1,60}$/.test(version)),
        JSON.stringify(tools),
      );
      assert.ok(
        remarks.every((remark) => /^[\dA-Z“].*\.$/.test(remark)),
        `sentences: ${remarks}`,
      );
      const estimate = await source.estimate();
      assert.ok(estimate === null || (estimate.files > 0 && estimate.bytes > 0), JSON.stringify(estimate));
    });

    it("becomes an artifact that opens, with its entries, its programs and nothing partial", async () => {
      await using source = await connectStaged(kind);
      const { identity, storage, manifest, partial, warnings } = await sealed(source);
      assert.deepEqual([partial, warnings], [false, []]);
      const place = { storage, directory: snapshotDirectory(ids) };
      await using artifact = await openArtifact({ ...place, identities: [identity] });
      const paths: string[] = [];
      for await (const { path } of artifact.entries()) paths.push(printablePath(path));
      for (const path of kind.entries)
        assert.ok(paths.includes(path), `${path} is missing among ${paths.slice(0, 30)}`);
      assert.equal(new Set(paths).size, paths.length, "no path twice");
      const facts = source.facts();
      for (const [program, version] of Object.entries(facts.tools)) assert.equal(manifest.tools[program], version);
      assert.deepEqual(manifest.databases ?? [], facts.databases);
      if (["MYSQL", "POSTGRES", "WORDPRESS"].includes(kind.type)) {
        const tables = facts.databases.flatMap((database) => database.tables);
        assert.ok(
          tables.some(({ rows }) => rows > 0),
          JSON.stringify(facts.databases),
        );
        assert.ok(
          facts.databases.every(({ path }) => paths.includes(path)),
          "each names its entry",
        );
      }
    });

    it("is let go of in the middle of being read", async () => {
      await using source = await connectStaged(kind);
      for await (const entry of source.entries(() => undefined)) {
        await entry.content?.[Symbol.asyncIterator]().return?.();
        break;
      }
      await source[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    });

    it("ends with the signal's reason, before it is connected to and while it is read", async () => {
      const reason = new Error("enough");
      await assert.rejects(connectStaged(kind, { signal: AbortSignal.abort(reason) }), reason);
      const stop = new AbortController();
      await using source = await connectStaged(kind, { signal: stop.signal });
      const reading = sealed(source, stop.signal);
      setTimeout(() => stop.abort(reason), 30);
      await assert.rejects(reading, reason);
    });

    it("is HOST_NOT_ALLOWED at an address that is not public, and no packet leaves", async () => {
      await using proxy = await stageFaultProxy(kind.first);
      await assert.rejects(
        connectStaged(kind, { config: kind.config(proxy.port), allowedNetworks: [] }),
        isCode("HOST_NOT_ALLOWED"),
      );
      assert.equal(proxy.connections(), 0);
    });

    it("is SOURCE_AUTH_FAILED with a wrong password, in a sentence that holds neither it nor the server's words", async () => {
      const wrong = "canary-password";
      const { ssh } = kind.secrets;
      const secrets = ssh ? { ...kind.secrets, ssh: { password: wrong } } : { password: wrong };
      await assert.rejects(connectAndRead(kind, { secrets }), (error: Error) => {
        assert.doesNotMatch(error.message, /canary|denied|FATAL|ERROR|530|All configured/);
        return isCode("SOURCE_AUTH_FAILED")(error);
      });
    });

    it("is SOURCE_DISCONNECTED where nothing listens and where the host is unknown", async () => {
      await assert.rejects(
        connectAndRead(kind, { config: kind.config(await freePort()) }),
        isCode("SOURCE_DISCONNECTED"),
      );
    });

    it("never becomes a snapshot when the connection is cut, wherever that is", async () => {
      const total = await bytesOfBackup();
      for (const share of [0.2, Math.random() * 0.9]) {
        const cutAtByte = Math.floor(total * share);
        await using proxy = await stageFaultProxy(kind.first, { cutAtByte, once: false });
        await neverStored(proxy.port, lost, `cut at byte ${cutAtByte} of ${total}`);
      }
    });

    it("is SOURCE_STALLED when nothing comes any more, wherever that is, and never becomes a snapshot", async () => {
      const total = await bytesOfBackup();
      for (const share of [0.3, 0.8]) {
        const stallAtByte = Math.floor(total * share);
        await using proxy = await stageFaultProxy(kind.first, { stallAtByte });
        await neverStored(proxy.port, ["SOURCE_STALLED"], `stalled at byte ${stallAtByte} of ${total}`);
      }
    });

    async function bytesOfBackup(): Promise<number> {
      await using proxy = await stageFaultProxy(kind.first);
      await using source = await connectStaged(kind, { config: kind.config(proxy.port) });
      await sealed(source);
      return proxy.bytes();
    }

    async function neverStored(port: number, codes: readonly string[], what: string): Promise<void> {
      const before = new Set(await readdir(base));
      await assert.rejects(
        async () => {
          await using source = await connectStaged(kind, { config: kind.config(port), stallMs });
          await sealed(source);
        },
        (error: Error) => {
          assert.ok(error instanceof SourceError && codes.includes(error.code), `${what}: ${error.stack}`);
          return true;
        },
        what,
      );
      for (const store of (await readdir(base)).filter((store) => !before.has(store)))
        assert.deepEqual(
          (await readdir(join(base, store), { recursive: true })).filter((path) => path.endsWith("manifest.json")),
          [],
          what,
        );
    }
  });

async function connectAndRead(kind: StagedKind, other: Parameters<typeof connectStaged>[1]): Promise<void> {
  await using source = await connectStaged(kind, other);
  await source.identify();
  for await (const { content } of source.entries(() => undefined)) for await (const _ of content ?? []);
}

function isCode(code: string) {
  return (error: Error) => {
    assert.equal(error instanceof SourceError ? error.code : error.stack, code);
    return true;
  };
}
