// The test vectors of the age format (C2SP CCTV), opened by the parts that open an artifact's encryption.
import assert from "node:assert/strict";
import { createDecipheriv, hash, hkdfSync } from "node:crypto";
import { describe, it } from "node:test";
import { inflateSync } from "node:zlib";
import * as vectors from "cctv-age";
import { ArtifactError, type RangeReader } from "#artifact/node";
import { openHeader } from "../../artifact/age/header-opening.ts";
import { PayloadRanges } from "../../artifact/age/payload-ranges.ts";
import { nativeEngine } from "../../artifact/engine/native-engine.ts";

type Expectation = "success" | "no match" | "HMAC failure" | "header failure" | "payload failure" | "armor failure";

interface Vector {
  readonly name: string;
  readonly expect: Expectation;
  /** SHA-256 of the plaintext up to the failure or the end. We may let out less, for we open the last chunk first. */
  readonly payload: string | undefined;
  readonly identities: readonly string[];
  readonly fileKey: Buffer;
  /** Why an artifact never looks like this: FORMAT.md has one binary age file, and no passphrases. */
  readonly foreign: "a passphrase" | "ASCII armor" | null;
  readonly file: Buffer;
}

const all = Object.entries(vectors as Record<string, Uint8Array>).map(([name, bytes]) =>
  parse(name, Buffer.from(bytes)),
);
const ours = all.filter(({ foreign }) => foreign === null);
const foreign = all.filter(({ foreign }) => foreign !== null);

function parse(name: string, bytes: Buffer): Vector {
  const end = bytes.indexOf("\n\n");
  const fields = bytes
    .toString("latin1", 0, end)
    .split("\n")
    .map((line) => line.split(": ", 2) as [key: string, value: string]);
  const all = (wanted: string) => fields.filter(([key]) => key === wanted).map(([, value]) => value);
  const file = bytes.subarray(end + 2);
  return {
    name,
    expect: all("expect")[0] as Expectation,
    payload: all("payload")[0],
    identities: all("identity"),
    fileKey: Buffer.from(all("file key")[0] ?? "", "hex"),
    foreign: all("armored").length > 0 ? "ASCII armor" : all("passphrase").length > 0 ? "a passphrase" : null,
    file: all("compressed")[0] === "zlib" ? inflateSync(file) : file,
  };
}

/** What an artifact's reader says of each; in front of these stands the hash of the header, which a vector has not. */
const codes: Readonly<Record<Expectation, ArtifactError["code"] | null>> = {
  success: null,
  "no match": "KEY_UNAVAILABLE",
  "HMAC failure": "ARTIFACT_CORRUPT",
  "header failure": "ARTIFACT_CORRUPT",
  "payload failure": "ARTIFACT_CORRUPT",
  "armor failure": "ARTIFACT_CORRUPT",
};

/** Reads in steps of `step` bytes and gives `release` everything that comes out on the way. */
async function open({ file, identities }: Vector, step: number, release: (bytes: Uint8Array) => void): Promise<void> {
  const headerBytes = headerLength(file);
  const fileKey = await openHeader(file.subarray(0, headerBytes), identities);
  const payload = await PayloadRanges.open(nativeEngine, { file: rangesOf(file), headerBytes, fileKey });
  for (let at = 0; at < payload.size; at += step) release(await payload.read(at, Math.min(step, payload.size - at)));
}

function headerLength(file: Buffer): number {
  const mac = file.indexOf("\n---");
  return (mac === -1 ? 0 : file.indexOf("\n", mac + 1) + 1) || file.length;
}

/** What a reader that starts at the beginning gets out, up to the failure or the end: the whole of it hashes to what is told. */
function payloadOf({ name, file, fileKey, payload }: Vector): Buffer {
  const body = file.subarray(headerLength(file));
  const key = Buffer.from(hkdfSync("sha256", fileKey, body.subarray(0, 16), "payload", 32));
  const chunks: Buffer[] = [];
  for (let last = false; !last && body.length > 16 + chunks.length * 65_552; ) {
    const stored = body.subarray(16 + chunks.length * 65_552).subarray(0, 65_552);
    const inner = stored.length === 65_552 ? openChunk(key, chunks.length, 0, stored) : null;
    const chunk = inner ?? openChunk(key, chunks.length, 1, stored);
    if (!chunk) break;
    last = inner === null;
    chunks.push(chunk);
  }
  const whole = Buffer.concat(chunks);
  if (payload !== undefined) assert.equal(hash("sha256", whole), payload, `${name}, read by the test itself`);
  return whole;
}

function openChunk(key: Buffer, index: number, last: number, stored: Buffer): Buffer | null {
  if (stored.length < 16) return null;
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(index, 7);
  nonce.writeUInt8(last, 11);
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
  decipher.setAuthTag(stored.subarray(-16));
  const plain = decipher.update(stored.subarray(0, -16));
  try {
    decipher.final();
    return plain;
  } catch {
    return null;
  }
}

function rangesOf(bytes: Buffer): RangeReader {
  return {
    size: bytes.length,
    async read(position, length) {
      assert.ok(position + length <= bytes.length, "a read past the end");
      return bytes.subarray(position, position + length);
    },
    close: async () => {},
  };
}

function isRefusal(code: ArtifactError["code"] | null): (error: unknown) => boolean {
  return (error) => error instanceof ArtifactError && error.code === code;
}

describe(`an artifact's encryption, given the ${all.length} vectors of the age format,`, () => {
  it("is given all of them", () => {
    assert.equal(all.length, 143);
    assert.equal(ours.length + foreign.length, all.length);
  });

  for (const expect of ["success", "no match", "HMAC failure", "header failure", "payload failure"] as const) {
    const vectorsOf = ours.filter((vector) => vector.expect === expect);
    it(`agrees on the ${vectorsOf.length} that are a ${expect}`, async () => {
      assert.ok(vectorsOf.length > 0);
      // A chunk at a time, as ranges that never meet a chunk's border, and at once.
      for (const vector of vectorsOf) {
        const truth = payloadOf(vector);
        // A chunk at a time, in ranges that never meet a chunk's border, and at once.
        for (const step of [65_536, 40_000, 2 ** 26]) {
          const released: Uint8Array[] = [];
          const opening = open(vector, step, (bytes) => released.push(bytes));
          if (expect === "success") await opening;
          else await assert.rejects(opening, isRefusal(codes[expect]), vector.name);
          const whole = Buffer.concat(released);
          const wanted = expect === "success" ? truth : truth.subarray(0, whole.length);
          assert.ok(whole.equals(wanted), `${vector.name}, ${step} bytes at a time`);
        }
      }
    });
  }

  for (const reason of ["a passphrase", "ASCII armor"] as const) {
    const refused = foreign.filter((vector) => vector.foreign === reason);
    it(`opens none of the ${refused.length} that are no artifact's, for they have ${reason}`, async (test) => {
      test.diagnostic(refused.map(({ name }) => name).join(" "));
      for (const vector of refused)
        await assert.rejects(
          open(vector, 65_536, () => assert.fail(vector.name)),
          ArtifactError,
          vector.name,
        );
    });
  }
});
