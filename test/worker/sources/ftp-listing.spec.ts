import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { linesOf, type ParsedLine, parseFacts, parseLine } from "../../../worker/sources/ftp/listing.ts";

const now = Date.UTC(2026, 0, 15, 12, 0);

/** In few words, for a table. */
function words(parsed: ParsedLine): string {
  if (parsed === null || parsed === "unknown") return String(parsed);
  const { kind, name, size, mode, mtimeMs, uid, gid, target } = parsed;
  const owner = uid === null && gid === null ? "" : ` of ${uid}:${gid}`;
  const leads = target === null ? "" : ` to <${target}>`;
  return `${kind} <${name}>${leads}, ${size ?? "no"} bytes, ${mode?.toString(8) ?? "no"} mode, ${new Date(mtimeMs).toISOString()}${owner}`;
}

function assertTable(rows: Readonly<Record<string, string>>, parse: (line: string) => ParsedLine): void {
  const parsed = Object.fromEntries(Object.keys(rows).map((line) => [line, words(parse(line))]));
  assert.deepEqual(parsed, rows);
}

describe("a line of LIST", () => {
  it("is understood as Unix writes it", () => {
    assertTable(
      {
        "-rw-r--r--   1 1001     1001           57 Nov 21 14:53 a file ":
          "file <a file >, 57 bytes, 644 mode, 2025-11-21T14:53:00.000Z of 1001:1001",
        "-rw-r--r--   1 1001     1001           57 Jan 15 13:30  of a day that began earlier":
          "file < of a day that began earlier>, 57 bytes, 644 mode, 2026-01-15T13:30:00.000Z of 1001:1001",
        "drwxrwsr-t  12 www-data www-data     4096 Feb  3  2019 box":
          "directory <box>, 4096 bytes, 3775 mode, 2019-02-03T00:00:00.000Z",
        "-rwSr-xr-T+  1 root root 9007199254740991 Feb  3  2019 sets":
          "file <sets>, no bytes, 5654 mode, 2019-02-03T00:00:00.000Z",
        "lrwxrwxrwx   1 0 0   6 Feb  3  2019 a -> b -> c -> d":
          "symlink <a -> b> to <c -> d>, 6 bytes, 777 mode, 2019-02-03T00:00:00.000Z of 0:0",
        "prw-r--r--   1 0 0   0 Feb  3  2019 pipe":
          "special <pipe>, 0 bytes, 644 mode, 2019-02-03T00:00:00.000Z of 0:0",
        "crw-rw-rw-   1 0 0   1, 3 Feb  3  2019 null":
          "special <null>, 1 bytes, 666 mode, 2019-02-03T00:00:00.000Z of 0:0",
        "-rw-r--r-- 1 me 12 2024-05-06 07:08 iso": "file <iso>, 12 bytes, 644 mode, 2024-05-06T07:08:00.000Z",
        "total 24": "null",
      },
      (line) => parseLine(line, now),
    );
  });

  it("is understood as DOS writes it", () => {
    assertTable(
      {
        "02-03-19  07:08PM       <DIR>          a box":
          "directory <a box>, no bytes, no mode, 2019-02-03T19:08:00.000Z",
        "12-31-2019  12:01AM               1234 a file ":
          "file <a file >, 1234 bytes, no mode, 2019-12-31T00:01:00.000Z",
        "12-31-99  12:01PM                    0 old": "file <old>, 0 bytes, no mode, 1999-12-31T12:01:00.000Z",
      },
      (line) => parseLine(line, now),
    );
  });

  it("is told apart from what nobody understands, in no time", () => {
    const hostile = [
      "-rw-r--r-- 1 ".padEnd(8_000, "1 "),
      "-rw-r--r--".padEnd(8_000),
      `-rw-r--r-- ${"1".repeat(8_000)}`,
      "",
      "ls: x",
    ];
    const startedAt = performance.now();
    for (const line of hostile) assert.equal(parseLine(line, now), "unknown");
    assert.ok(performance.now() - startedAt < 200, `${performance.now() - startedAt} ms`);
  });
});

describe("a line of MLSD", () => {
  it("is understood with the facts that servers give", () => {
    assertTable(
      {
        "modify=20261121223036.123;size=5;type=file;UNIX.group=7;UNIX.mode=04755;UNIX.owner=8;  a; b=c ":
          "file < a; b=c >, 5 bytes, 4755 mode, 2026-11-21T22:30:36.000Z of 8:7",
        "Type=dir;Modify=20260102030405;Sizd=4096; box": "directory <box>, no bytes, no mode, 2026-01-02T03:04:05.000Z",
        "type=OS.unix=slink:/a; b": "symlink <b> to </a>, no bytes, no mode, 1970-01-01T00:00:00.000Z",
        "type=OS.unix=symlink; b": "symlink <b>, no bytes, no mode, 1970-01-01T00:00:00.000Z",
        "type=OS.unix=chr-13/29; tty": "special <tty>, no bytes, no mode, 1970-01-01T00:00:00.000Z",
        "type=file;size=99999999999999999999;UNIX.owner=root; x":
          "file <x>, no bytes, no mode, 1970-01-01T00:00:00.000Z",
        "type=cdir; .": "null",
        "type=pdir; /": "null",
        nonsense: "unknown",
      },
      parseFacts,
    );
  });
});

describe("the lines of a listing", () => {
  it("end as the listing has it, so that names keep their line feeds, and are of bounded length", () => {
    assert.deepEqual([...linesOf(Buffer.from("a\nb\r\nc\r\n\r\nd"))], ["a\nb", "c", "d"]);
    assert.deepEqual([...linesOf(Buffer.from("a\nb\n"))], ["a", "b"]);
    assert.deepEqual(
      [...linesOf(Buffer.from("x".repeat(100_000)))].map(({ length }) => length),
      [8_192],
    );
    assert.deepEqual([...linesOf(Buffer.from([0xff, 0x0a]))], ["\xff"]);
  });
});
