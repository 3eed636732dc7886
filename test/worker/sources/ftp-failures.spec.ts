import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { freePort } from "../../../server/one-machine/port.ts";
import type { SourceErrorCode } from "../../../worker/sources/source-error.ts";
import { ftpPackages } from "../../stage/peers/ftp-packages.ts";
import { makeCertificate } from "../../stage/peers/ftp-server.ts";
import { stageProftpd } from "../../stage/peers/proftpd.ts";
import { stageVsftpd } from "../../stage/peers/vsftpd.ts";
import { stageRogueFtp } from "../../stage/rogue-ftp.ts";
import { tree, writeTree } from "../../stage/tree.ts";
import { connectToFtp } from "./ftp-reading.ts";
import { collect } from "./reading.ts";

const packages = await ftpPackages();
const skip = "missing" in packages ? packages.missing : false;
const off = { tls: "off" };

/** With a sentence that fits, and without a word of the server's or the secret's. */
function failsAs(code: SourceErrorCode, sentence: RegExp) {
  return (error: Error) => {
    assert.deepEqual({ name: error.name, code: (error as { code?: unknown }).code }, { name: "SourceError", code });
    assert.match(error.message, sentence);
    assert.doesNotMatch(error.message, /password-of-ours|rogue words|ECONN|Login incorrect|\b5\d\d\b/);
    return true;
  };
}

describe("signing in to an FTP source", { skip }, () => {
  for (const stage of [stageProftpd, stageVsftpd])
    it(`fails as SOURCE_AUTH_FAILED with a wrong password, an unknown user or none (${stage.name})`, async () => {
      await using server = await stage();
      const refused = { ...server, password: "password-of-ours" };
      await assert.rejects(connectToFtp(refused), failsAs("SOURCE_AUTH_FAILED", /did not accept the sign-in/));
      const unknown = { ...server, username: "nobody-here" };
      await assert.rejects(connectToFtp(unknown), failsAs("SOURCE_AUTH_FAILED", /did not accept the sign-in/));
      await assert.rejects(
        connectToFtp(server, { secrets: {} }),
        failsAs("SOURCE_AUTH_FAILED", /password .* is missing/),
      );
    });

  it("goes on only with a certificate for this host of an authority that is known, or with a pinned one", async () => {
    await using server = await stageVsftpd();
    const { fingerprint, authority } = server;
    const hex = Buffer.from(fingerprint.slice("SHA256:".length), "base64").toString("hex");
    const colons = hex.toUpperCase().replace(/..(?=.)/g, "$&:");
    for (const certificate of [{ authority }, { fingerprint }, { fingerprint: colons }]) {
      await using source = await connectToFtp(server, { settings: { certificate } });
      assert.deepEqual((await collect(source)).warnings, []);
    }
  });

  it("stops before the user's name at any other certificate, and shows what could be pinned", async () => {
    await using server = await stageVsftpd();
    await using other = await stageVsftpd();
    const shown = new RegExp(`no password was sent.*${server.fingerprint.replace(/[+/]/g, "\\$&")}`);
    for (const certificate of [{}, { authority: other.authority }])
      await assert.rejects(
        connectToFtp(server, { settings: { certificate } }),
        failsAs("SOURCE_AUTH_FAILED", new RegExp(`not signed by an authority known here.*${shown.source}`)),
      );
    await assert.rejects(
      connectToFtp({ ...server, host: "127.0.0.1" }),
      failsAs("SOURCE_AUTH_FAILED", new RegExp(`is for another host name.*${shown.source}`)),
    );
    await assert.rejects(
      connectToFtp(server, { settings: { certificate: { fingerprint: other.fingerprint } } }),
      failsAs("HOST_KEY_CHANGED", shown),
    );
    assert.match(await server.log(), /AUTH TLS/);
    assert.doesNotMatch(await server.log(), /USER|PASS/);
  });

  it("refuses an authority that is no certificate", async () => {
    await using server = await stageVsftpd();
    for (const authority of ["nonsense", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"])
      await assert.rejects(
        connectToFtp({ ...server, authority }),
        failsAs("SOURCE_AUTH_FAILED", /not a certificate in PEM form/),
      );
  });

  it("without TLS says that the server may want it", async () => {
    for (const stage of [stageProftpd, stageVsftpd]) {
      await using server = await stage();
      await assert.rejects(
        connectToFtp(server, { settings: off }),
        failsAs("SOURCE_AUTH_FAILED", /have “tls” required/),
      );
    }
  });
});

describe("an FTP server from which TLS was stripped", () => {
  it("is told neither the user's name nor the password", async () => {
    for (const reply of ["500 rogue words", "502 rogue words", "530 rogue words"]) {
      await using rogue = await stageRogueFtp({ replies: { AUTH: reply } });
      await assert.rejects(connectToFtp(rogue), failsAs("SOURCE_AUTH_FAILED", /offers no encryption/));
      assert.deepEqual(rogue.commands, ["AUTH TLS"]);
    }
  });

  it("cannot slip in replies of its own ahead of the encryption", async () => {
    await using rogue = await stageRogueFtp({ replies: { AUTH: "234 go on\r\n230 rogue words" } });
    await assert.rejects(connectToFtp(rogue), failsAs("SOURCE_DISCONNECTED", /is not FTP/));
    assert.deepEqual(rogue.commands, ["AUTH TLS"]);
  });

  it("is given up where no handshake comes about", async () => {
    await using rogue = await stageRogueFtp({ replies: { AUTH: "234 go on" } });
    await assert.rejects(connectToFtp(rogue, { stallMs: 400 }), failsAs("SOURCE_STALLED", /stopped sending/));
    assert.doesNotMatch(rogue.commands.join("\n"), /USER|PASS/);
  });
});

describe("an FTP server that has TLS for the sign-in alone", () => {
  async function identity() {
    const files = await mkdtemp(join(tmpdir(), "xvault-rogue-ftp-"));
    try {
      const { authority, fingerprint } = await makeCertificate(files);
      const read = (name: string) => readFile(join(files, name), "utf8");
      return { authority, fingerprint, cert: await read("server.pem"), key: await read("server.key") };
    } finally {
      await rm(files, { recursive: true });
    }
  }
  const files = { "/file": { content: Buffer.from("content") } };

  it("is asked for no file", async () => {
    const own = await identity();
    await using rogue = await stageRogueFtp({
      files,
      tls: { control: own, data: own },
      replies: { PROT: "536 rogue words" },
    });
    await assert.rejects(
      connectToFtp({ ...rogue, ...own, host: "localhost" }),
      failsAs("SOURCE_AUTH_FAILED", /refuses to encrypt files/),
    );
    assert.doesNotMatch(rogue.commands.join("\n"), /EPSV|PASV|RETR|MLSD/);
  });

  it("is not believed by whoever else answers where the files should come from", async () => {
    const [own, other] = [await identity(), await identity()];
    for (const certificate of [{ authority: own.authority }, { fingerprint: own.fingerprint }]) {
      await using honest = await stageRogueFtp({ files, tls: { control: own, data: own } });
      await using source = await connectToFtp({ ...honest, host: "localhost" }, { settings: { certificate } });
      assert.deepEqual(Object.keys((await collect(source)).described), ["file"]);

      await using rogue = await stageRogueFtp({ files, tls: { control: own, data: other } });
      await using betrayed = await connectToFtp({ ...rogue, host: "localhost" }, { settings: { certificate } });
      await assert.rejects(collect(betrayed), failsAs("HOST_KEY_CHANGED", /Somebody with another certificate/));
    }
  });
});

describe("an FTP source that cannot be reached", () => {
  it("is SOURCE_DISCONNECTED where nothing listens, and where the host is unknown", async () => {
    const nothing = { host: "127.0.0.1", port: await freePort() };
    await assert.rejects(connectToFtp(nothing), failsAs("SOURCE_DISCONNECTED", /refused the connection/));
    const unknown = { ...nothing, host: "no-such-host.invalid" };
    await assert.rejects(connectToFtp(unknown), failsAs("SOURCE_DISCONNECTED", /could not be found/));
  });

  it("is HOST_NOT_ALLOWED inside the worker's own networks, before anything is sent there", async () => {
    await using rogue = await stageRogueFtp();
    for (const host of ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "169.254.169.254"])
      await assert.rejects(
        connectToFtp({ ...rogue, host }, { allowedNetworks: [], settings: off }),
        failsAs("HOST_NOT_ALLOWED", /not a public address/),
      );
    assert.deepEqual(rogue.commands, []);
  });

  it("is HOST_NOT_ALLOWED where it sends for the files to another host", async () => {
    const replies = { EPSV: "500 what?", PASV: "227 rogue words (10,0,0,1,4,1)" };
    await using rogue = await stageRogueFtp({ replies });
    await using source = await connectToFtp(rogue, { settings: off });
    await assert.rejects(collect(source), failsAs("HOST_NOT_ALLOWED", /from another address than its own/));
  });

  it("is read by way of PASV where it knows no EPSV", async () => {
    await using rogue = await stageRogueFtp({
      replies: { EPSV: "500 what?" },
      files: { "/one": { content: Buffer.from("1") } },
    });
    await using source = await connectToFtp(rogue, { settings: off });
    assert.deepEqual(Object.keys((await collect(source)).described), ["one"]);
  });

  it("is SOURCE_DISCONNECTED where it takes no more sign-ins, or speaks no FTP", async () => {
    await using busy = await stageRogueFtp({ replies: { USER: "421 rogue words" } });
    await assert.rejects(connectToFtp(busy, { settings: off }), failsAs("SOURCE_DISCONNECTED", /no more connections/));
    await using web = await stageRogueFtp({ replies: { USER: "HTTP/1.1 400 Bad Request" } });
    await assert.rejects(connectToFtp(web, { settings: off }), failsAs("SOURCE_DISCONNECTED", /is not FTP/));
  });

  it("is let go of when the job is aborted", async () => {
    await using rogue = await stageRogueFtp({ replies: { MLSD: "" } });
    const stop = new AbortController();
    await using source = await connectToFtp(rogue, { settings: off, signal: stop.signal });
    const reason = new Error("the lease is lost");
    const reading = collect(source);
    setTimeout(() => stop.abort(reason), 100);
    await assert.rejects(reading, reason);
    await assert.rejects(source.identify(), reason);
    await assert.rejects(connectToFtp(rogue, { settings: off, signal: stop.signal }), reason);
  });
});

describe("the path of an FTP source", { skip }, () => {
  it("is PATH_NOT_FOUND where it is missing or closed to the user", async () => {
    for (const stage of [stageProftpd, stageVsftpd]) {
      await using server = await stage();
      await writeTree(server.data, tree({ "closed/file": "1" }));
      for (const path of ["/missing", "/closed/missing"]) {
        await using source = await connectToFtp(server, { settings: { path } });
        await assert.rejects(collect(source), failsAs("PATH_NOT_FOUND", /does not exist on the server/));
        await assert.rejects(source.identify(), failsAs("PATH_NOT_FOUND", /does not exist on the server/));
      }
    }
  });

  it("never becomes a command, nor does a user name or a password", async () => {
    await using rogue = await stageRogueFtp();
    const injected = "x\r\nDELE /canary";
    await assert.rejects(
      connectToFtp(rogue, { settings: { ...off, path: injected } }),
      failsAs("PATH_NOT_FOUND", /“path”/),
    );
    await assert.rejects(
      connectToFtp(rogue, { settings: { ...off, username: injected } }),
      failsAs("SOURCE_AUTH_FAILED", /“username”/),
    );
    for (const end of ["\r\n", "\n", "\r", "\0"])
      await assert.rejects(
        connectToFtp(rogue, { settings: off, secrets: { password: `x${end}DELE /canary` } }),
        failsAs("SOURCE_AUTH_FAILED", /line break/),
      );
    for (const path of ["; id", "$(id)", "`id`", "-oProxyCommand=x", "*", "~", "%0d%0aDELE x"]) {
      await using source = await connectToFtp(rogue, { settings: { ...off, path: `/${path}` } });
      await collect(source);
      assert.ok(rogue.commands.includes(`MLSD /${path}`), "is taken literally");
    }
    assert.doesNotMatch(rogue.commands.join("\n"), /^DELE/m);
  });
});
