import assert from "node:assert/strict";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { freePort } from "../../../server/one-machine/port.ts";
import type { SourceErrorCode } from "../../../worker/sources/source-error.ts";
import { missingOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { stageRogueHost } from "../../stage/rogue-host.ts";
import { seededBytes, tree, writeTree } from "../../stage/tree.ts";
import { collect, connectTo } from "./reading.ts";

const skip = missingOpenSsh ?? false;

/** With a sentence that fits, and without a word of the server's or the secret's. */
function failsAs(code: SourceErrorCode, sentence: RegExp) {
  return (error: Error) => {
    assert.deepEqual({ name: error.name, code: (error as { code?: unknown }).code }, { name: "SourceError", code });
    assert.match(error.message, sentence);
    assert.doesNotMatch(error.message, /password-of-ours|ssh2|ECONN|All configured|Handshake/);
    return true;
  };
}

describe("signing in to an SFTP source", { skip }, () => {
  it("fails as SOURCE_AUTH_FAILED with a wrong password, an unknown user or a key that is not accepted", async () => {
    await using sshd = await stageOpenSsh();
    await using other = await stageOpenSsh();
    const refused = [
      { secrets: { password: "password-of-ours" } },
      { username: "nobody-here" },
      { secrets: { privateKey: other.privateKey } },
      { secrets: {} },
    ];
    for (const difference of refused)
      await assert.rejects(connectTo(sshd, difference), failsAs("SOURCE_AUTH_FAILED", /did not accept the sign-in/));
  });

  it("fails as SOURCE_AUTH_FAILED where the private key cannot be opened", async () => {
    await using sshd = await stageOpenSsh();
    const { privateKey } = sshd.lockedKey;
    for (const secrets of [{ privateKey }, { privateKey, passphrase: "wrong" }, { privateKey: "no key at all" }])
      await assert.rejects(connectTo(sshd, { secrets }), failsAs("SOURCE_AUTH_FAILED", /private key/));
  });

  it("stops at a changed host key before anything secret is sent", async () => {
    await using sshd = await stageOpenSsh();
    const { hostKey } = sshd;
    assert.notEqual(await sshd.changeHostKey(), hostKey);
    await assert.rejects(connectTo({ ...sshd, hostKey }), failsAs("HOST_KEY_CHANGED", /another host key/));
    assert.doesNotMatch(await sshd.log(), /Accepted|Failed/);

    await using rogue = await stageRogueHost();
    await assert.rejects(connectTo({ ...rogue, hostKey }), failsAs("HOST_KEY_CHANGED", /no password was sent/));
    assert.deepEqual(rogue.passwords, []);
    await using trusting = await connectTo(rogue);
    assert.equal(rogue.passwords.length, 1, "the rogue would have noticed");
    assert.equal((await trusting.identify()).hostKey, rogue.hostKey);
  });
});

describe("an SFTP source that cannot be reached", { skip }, () => {
  it("is SOURCE_DISCONNECTED where nothing listens, and where the host is unknown", async () => {
    const nothing = { host: "127.0.0.1", port: await freePort(), hostKey: "SHA256:none" };
    await assert.rejects(connectTo(nothing), failsAs("SOURCE_DISCONNECTED", /refused the connection/));
    const unknown = { ...nothing, host: "no-such-host.invalid" };
    await assert.rejects(connectTo(unknown), failsAs("SOURCE_DISCONNECTED", /could not be found/));
  });

  it("is HOST_NOT_ALLOWED inside the worker's own networks", async () => {
    await using sshd = await stageOpenSsh();
    await assert.rejects(connectTo(sshd, { allowedNetworks: [] }), failsAs("HOST_NOT_ALLOWED", /not a public address/));
    assert.doesNotMatch(await sshd.log(), /Connection from 127.0.0.1.*\n.*Postponed|Accepted/);
  });

  it("is SOURCE_DISCONNECTED where SFTP is switched off", async () => {
    await using sshd = await stageOpenSsh({ sftp: false });
    await assert.rejects(connectTo(sshd), failsAs("SOURCE_DISCONNECTED", /offers no SFTP/));
  });

  it("is let go of when the job is aborted", async () => {
    await using sshd = await stageOpenSsh();
    const stop = new AbortController();
    await using source = await connectTo(sshd, { signal: stop.signal });
    const reason = new Error("the lease is lost");
    stop.abort(reason);
    await assert.rejects(source.identify(), reason);
    await assert.rejects(connectTo(sshd, { signal: stop.signal }), reason);
  });
});

describe("the path of an SFTP source", { skip }, () => {
  it("is PATH_NOT_FOUND where it is missing or closed to the user", async () => {
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ "closed/file": "1", shut: "2" }));
    await chmod(join(sshd.data, "closed"), 0o700);
    await chmod(join(sshd.data, "shut"), 0o600);
    await using missing = await connectTo(sshd, { path: join(sshd.data, "missing") });
    await assert.rejects(collect(missing), failsAs("PATH_NOT_FOUND", /does not exist/));
    for (const name of ["closed", "shut"]) {
      await using closed = await connectTo(sshd, { path: join(sshd.data, name) });
      await assert.rejects(closed.identify(), failsAs("PATH_NOT_FOUND", /no right to read/));
    }
  });
});

describe("a connection that breaks", { skip }, () => {
  it("ends the backup as SOURCE_DISCONNECTED", async () => {
    await using sshd = await stageOpenSsh();
    await writeTree(sshd.data, tree({ big: seededBytes(32 * 1024 * 1024, "big") }));
    await using source = await connectTo(sshd);
    const reading = async () => {
      let chunks = 0;
      for await (const { content } of source.entries(() => undefined))
        for await (const _ of content ?? []) if (chunks++ === 4) await sshd.dropConnections();
    };
    await assert.rejects(reading(), failsAs("SOURCE_DISCONNECTED", /ended the connection/));
  });
});
