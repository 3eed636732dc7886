import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseNetwork, resolveHost } from "../../worker/network-policy.ts";

const signal = new AbortController().signal;

function resolve(host: string, { names = {} as Record<string, string[]>, allowed = [] as string[] } = {}) {
  return resolveHost(host, {
    allowedNetworks: allowed.map(parseNetwork),
    signal,
    lookup: async (name) => {
      const found = names[name];
      if (!found) throw new Error("ENOTFOUND");
      return found.map((address) => ({ address }));
    },
  });
}

const refused: Record<string, readonly string[]> = {
  loopback: ["127.0.0.1", "127.9.9.9", "::1", "[::1]"],
  "the loopback address in disguise": [
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
  ],
  unspecified: ["0.0.0.0", "0", "::", "::ffff:0.0.0.0"],
  private: ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::ffff:10.0.0.1", "fd00::1", "fec0::1"],
  "the provider's own": ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "192.0.0.192", "168.63.129.16"],
  "carrier-grade NAT and link-local": ["100.64.0.1", "169.254.1.1", "fe80::1", "fe80::1%eth0"],
  "multicast, broadcast and reserved": [
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "198.18.0.1",
    "ff02::1",
    "4000::1",
  ],
  "documentation and benchmark": ["203.0.113.5", "2001:db8::1", "192.0.2.1", "198.51.100.1"],
  "numbers that are no address": ["4294967296", "1.2.3.4.5", "08.8.8.8", "1.2.3.256", "0x", "999"],
  "more than a host": [
    "user@example.com",
    "example.com#x",
    "example.com/x",
    "a b",
    "a\r\nb",
    "example.com:22",
    "ex%61mple",
  ],
};

describe("the network policy", () => {
  for (const [kind, hosts] of Object.entries(refused))
    it(`refuses ${kind}`, async () => {
      for (const host of hosts) await assert.rejects(resolve(host), { code: "HOST_NOT_ALLOWED" }, host);
    });

  it("lets public addresses pass, in their canonical form", async () => {
    assert.equal(await resolve("8.8.8.8"), "8.8.8.8");
    assert.equal(await resolve("134744072"), "8.8.8.8");
    assert.equal(await resolve("::ffff:8.8.8.8"), "8.8.8.8");
    assert.equal(await resolve("[2606:4700::1111]"), "2606:4700::1111");
  });

  it("refuses a name of which one address is bad", async () => {
    const names = { "mixed.example": ["8.8.8.8", "10.0.0.1"], "local.example": ["127.0.0.1"] };
    for (const host of Object.keys(names))
      await assert.rejects(resolve(host, { names }), { code: "HOST_NOT_ALLOWED" }, host);
  });

  it("asks for a name once, and answers the address that was checked", async () => {
    let asked = 0;
    const lookup = async () => [{ address: asked++ === 0 ? "8.8.8.8" : "127.0.0.1" }];
    assert.equal(await resolveHost("rebinding.example", { allowedNetworks: [], signal, lookup }), "8.8.8.8");
    assert.equal(asked, 1);
  });

  it("prefers IPv4 among the addresses of a name", async () => {
    const names = { "both.example": ["2606:4700::1111", "8.8.8.8"] };
    assert.equal(await resolve("both.example", { names }), "8.8.8.8");
    assert.equal(await resolve("both.example.", { names }), "8.8.8.8");
  });

  it("lets through what the operator allows, and nothing beside it", async () => {
    const allowed = ["10.1.0.0/16", "fd00:1::/64"];
    assert.equal(await resolve("10.1.2.3", { allowed }), "10.1.2.3");
    assert.equal(await resolve("::ffff:10.1.2.3", { allowed }), "10.1.2.3");
    assert.equal(await resolve("fd00:1::5", { allowed }), "fd00:1::5");
    for (const host of ["10.2.0.1", "127.0.0.1", "fd00:2::5"])
      await assert.rejects(resolve(host, { allowed }), { code: "HOST_NOT_ALLOWED" }, host);
  });

  it("calls an unknown host SOURCE_DISCONNECTED, with a sentence of its own", async () => {
    await assert.rejects(resolve("unknown.example"), {
      code: "SOURCE_DISCONNECTED",
      message: /“unknown.example” could not be found/,
    });
  });

  it("ends with the job that asked", async () => {
    const reason = new Error("canceled");
    const waiting = resolveHost("slow.example", {
      allowedNetworks: [],
      signal: AbortSignal.abort(reason),
      lookup: () => new Promise(() => undefined),
    });
    await assert.rejects(waiting, reason);
  });
});
