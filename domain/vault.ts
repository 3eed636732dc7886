// Keeps secrets in the database unreadable: envelope encryption with the key-encryption key (KEK), which only the hub holds.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

/** What a ciphertext belongs to. It opens only in the same place: pasted into another row it is worthless. */
export interface SecretPlace {
  readonly tenantId: string;
  readonly rowId: string;
  readonly kind: "credential" | "tenant-key";
}

export interface Vault {
  /** Of the KEK that seals. */
  readonly kekId: string;
  /** Of every KEK at hand: the one that seals, and those that only open. */
  readonly kekIds: readonly string[];
  seal(place: SecretPlace, secret: string): Uint8Array<ArrayBuffer>;
  /** Throws where the ciphertext was changed, moved to another row, or sealed with a KEK that is not at hand. */
  open(place: SecretPlace, sealed: Uint8Array): string;
}

const versionByte = 1;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * A vault over one KEK of exactly 32 bytes that seals and opens, and others that only open. Sealed form: version (1 byte), nonce (12),
 * AES-256-GCM ciphertext, tag (16); the additional data are the place. Throws a `RangeError` on a KEK of any other length.
 */
export function openVault(kek: Uint8Array, others: readonly Uint8Array[] = []): Vault {
  const key = keyOf(kek);
  const keys = [key, ...others.map(keyOf)];
  return {
    kekId: idOf(key),
    kekIds: keys.map(idOf),
    seal(place, secret) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(additionalData(place));
      const body = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      return new Uint8Array(Buffer.concat([Buffer.from([versionByte]), nonce, body, cipher.getAuthTag()]));
    },
    open(place, sealed) {
      if (sealed[0] !== versionByte || sealed.byteLength < 1 + nonceBytes + tagBytes)
        throw new Error("unknown form of a sealed secret");
      const aad = additionalData(place);
      for (const each of keys) {
        const opened = openWith(each, aad, sealed);
        if (opened !== null) return opened;
      }
      throw new Error("a sealed secret was changed or moved, or the KEK that it was sealed with is not at hand");
    },
  };
}

function keyOf(kek: Uint8Array): Buffer {
  if (kek.byteLength !== 32) throw new RangeError(`the KEK has ${kek.byteLength} bytes instead of 32`);
  return Buffer.from(kek);
}

function idOf(key: Buffer): string {
  return createHash("sha256").update("xvault kek id").update(key).digest("hex").slice(0, 16);
}

/** Null where the tag does not fit. */
function openWith(key: Buffer, aad: Buffer, sealed: Uint8Array): string | null {
  const nonce = sealed.subarray(1, 1 + nonceBytes);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes })
    .setAAD(aad)
    .setAuthTag(sealed.subarray(-tagBytes));
  const start = decipher.update(sealed.subarray(1 + nonceBytes, -tagBytes));
  try {
    return Buffer.concat([start, decipher.final()]).toString("utf8");
  } catch {
    return null;
  }
}

function additionalData(place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([place.tenantId, place.rowId, place.kind]));
}
