import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectSftp } from "../../../worker/sources/sftp.ts";
import { connectSshFiles } from "../../../worker/sources/ssh.ts";
import { stageFaultProxy } from "../../stage/fault-proxy.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { stageRogueHost } from "../../stage/rogue-host.ts";
import { describeTree, seededBytes, tree } from "../../stage/tree.ts";
import { collect, connectTo, type Differences } from "./reading.ts";
import { serve } from "./ssh-files.ts";

const skip = missingOpenSsh ?? false;
const mebibyte = 1024 * 1024;
const nodes = tree({ one: "1", "two/big": seededBytes(4 * mebibyte, "big") });

/** Nothing but the jump host may be connected to from here. */
function connectVia(
  jump: Pick<StagedOpenSsh, "host" | "port" | "username" | "password">,
  target: StagedOpenSsh,
  other: Differences = {},
) {
  const { host, port, username, password } = jump;
  const { settings, ...rest } = other;
  return connectTo(target, {
    connect: connectSshFiles,
    secrets: { privateKey: target.privateKey, jump: { password } },
    settings: { jump: { host, port, username }, ...settings },
    ...rest,
  });
}

function pins(jump: { readonly hostKey: string }, target: { readonly hostKey: string }) {
  return { hostKey: target.hostKey, jumpHostKey: jump.hostKey };
}

describe("an SSH server behind a jump host", { skip }, () => {
  it("is read through a bastion that does nothing but lead on", async () => {
    await using bastion = await stageOpenSsh({ only: "bastion", sftp: false });
    await using target = await serve(nodes);
    for (const connect of [connectSshFiles, connectSftp]) {
      await using source = await connectVia(bastion, target, { connect, pinned: pins(bastion, target) });
      const { hostKey, jumpHostKey } = await source.identify();
      assert.deepEqual({ hostKey, jumpHostKey }, pins(bastion, target));
      assert.deepEqual((await collect(source)).described, describeTree(nodes));
    }
    assert.match(await target.log(), /Accepted publickey/);
    assert.match(await bastion.log(), /Accepted password/);
  });

  it("is looked up by the jump host, which alone has to be in an allowed network", async () => {
    await using bastion = await stageOpenSsh({ only: "bastion" });
    await using target = await serve(nodes);
    // The name leads to the same place for both here; only the bastion may look it up.
    const settings = { host: "localhost" };
    await using source = await connectVia(bastion, target, { settings, pinned: pins(bastion, target) });
    assert.deepEqual(Object.keys((await collect(source)).described), ["one", "two", "two/big"]);
    await assert.rejects(connectVia(bastion, target, { allowedNetworks: [], pinned: pins(bastion, target) }), {
      code: "HOST_NOT_ALLOWED",
    });
  });

  it("is HOST_KEY_CHANGED by the name of the jump host where that one's key is another, and gets nothing", async () => {
    await using target = await serve(nodes);
    await using rogue = await stageRogueHost();
    const impostor = { host: "localhost", port: rogue.port, username: "someone", password: "a password" };
    await assert.rejects(connectVia(impostor, target, { pinned: pins(target, target) }), {
      code: "HOST_KEY_CHANGED",
      message: /“localhost” shows another host key/,
    });
    assert.deepEqual(rogue.passwords, []);
    assert.doesNotMatch(await target.log(), /Accepted|Failed|Postponed/);
  });

  it("is HOST_KEY_CHANGED by its own name where its own key is another", async () => {
    await using bastion = await stageOpenSsh({ only: "bastion" });
    await using target = await serve(nodes);
    const pinned = pins(bastion, bastion);
    await assert.rejects(connectVia(bastion, target, { pinned }), {
      code: "HOST_KEY_CHANGED",
      message: /127\.0\.0\.1/,
    });
    assert.doesNotMatch(await target.log(), /Accepted/);
  });

  it("is SOURCE_AUTH_FAILED where the jump host refuses, and never offers it the secrets of the target", async () => {
    await using bastion = await stageOpenSsh({ only: "bastion" });
    await using target = await serve(nodes);
    const secrets = { password: target.password, privateKey: target.privateKey };
    await assert.rejects(connectVia(bastion, target, { secrets, pinned: pins(bastion, target) }), {
      code: "SOURCE_AUTH_FAILED",
    });
    assert.doesNotMatch(await bastion.log(), /Failed (password|publickey)/);
  });

  it("is SOURCE_DISCONNECTED where the jump host cannot or may not lead there", async () => {
    await using bastion = await stageOpenSsh({ only: "bastion" });
    await using jail = await stageOpenSsh({ only: "jail" });
    await using target = await serve(nodes);
    const { port } = target;
    await target[Symbol.asyncDispose]();
    const gone = { pinned: pins(bastion, target), settings: { port } };
    await assert.rejects(connectVia(bastion, target, gone), { code: "SOURCE_DISCONNECTED" });
    await assert.rejects(connectVia(jail, target, { pinned: pins(jail, target) }), { code: "SOURCE_DISCONNECTED" });
  });

  it("is SOURCE_DISCONNECTED or SOURCE_STALLED where the way to the jump host breaks or falls silent", async () => {
    await using bastion = await stageOpenSsh({ only: "bastion" });
    await using target = await serve(nodes);
    const faults = [
      { faults: { cutAtByte: 2 * mebibyte }, code: "SOURCE_DISCONNECTED", stallMs: 20_000 },
      { faults: { stallAtByte: 2 * mebibyte }, code: "SOURCE_STALLED", stallMs: 500 },
    ];
    for (const { faults: each, code, stallMs } of faults)
      for (const connect of [connectSshFiles, connectSftp]) {
        await using proxy = await stageFaultProxy(bastion, each);
        const via = { ...bastion, port: proxy.port };
        await using source = await connectVia(via, target, { connect, stallMs, pinned: pins(bastion, target) });
        await assert.rejects(collect(source), { name: "SourceError", code });
      }
  });
});
