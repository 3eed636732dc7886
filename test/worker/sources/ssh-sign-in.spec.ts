import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { missingOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { stageRogueHost } from "../../stage/rogue-host.ts";
import { tree } from "../../stage/tree.ts";
import { collect } from "./reading.ts";
import { connect, serve } from "./ssh-files.ts";

const skip = missingOpenSsh ?? false;

describe("signing in to an SSH source", { skip }, () => {
  it("works with a password, a key, a key under a passphrase, and with the last of several keys", async () => {
    await using sshd = await serve(tree({ one: "1" }));
    await using other = await stageOpenSsh();
    const { privateKey, passphrase } = sshd.lockedKey;
    const ways = [
      { password: sshd.password },
      { privateKey: sshd.privateKey },
      { privateKey, passphrase },
      { privateKey: `${other.privateKey}\n${sshd.privateKey}` },
      { privateKey: `${other.privateKey}${privateKey}`, passphrase },
      { privateKey: other.privateKey, password: sshd.password },
    ];
    for (const secrets of ways) {
      await using source = await connect(sshd, { secrets });
      assert.deepEqual(Object.keys((await collect(source)).described), ["one"]);
    }
  });

  it("answers a server's own dialogue, and shows the password to no question that is shown", async () => {
    const questions = [
      { prompt: "User: ", echo: true },
      { prompt: "Password: ", echo: false },
    ];
    await using rogue = await stageRogueHost({ names: [{ name: "file" }], questions });
    await using source = await connect(rogue, { path: "/", secrets: { password: "of the dialogue" } });
    assert.deepEqual(rogue.passwords, ["", "of the dialogue"]);
    assert.deepEqual((await source.identify()).sampleEntries, ["file"]);
  });

  it("tells the server's keys, its version and what reads it when it is tested", async () => {
    await using sshd = await serve(tree({ one: "1", ".two/three": "3" }));
    await using source = await connect(sshd, { pinned: { hostKey: null, jumpHostKey: null } });
    const { hostKey, jumpHostKey, serverVersion, sampleEntries, tools, remarks } = await source.identify();
    assert.deepEqual({ hostKey, jumpHostKey, remarks }, { hostKey: sshd.hostKey, jumpHostKey: null, remarks: [] });
    assert.match(serverVersion ?? "", /^OpenSSH_\d/);
    assert.match(tools["GNU tar"] ?? "", /^\d+\.\d+/);
    assert.deepEqual([...sampleEntries].sort(), [".two", "one"]);
  });

  it("stops at a changed host key before anything secret is sent", async () => {
    await using sshd = await stageOpenSsh();
    await using rogue = await stageRogueHost();
    const impostor = { host: rogue.host, port: rogue.port, hostKey: sshd.hostKey };
    await assert.rejects(connect(impostor), { name: "SourceError", code: "HOST_KEY_CHANGED" });
    assert.deepEqual(rogue.passwords, []);
  });
});
