// Keeps secrets in the database unreadable: envelope encryption with the key-encryption key (KEK), which only the hub holds.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";

/** What a ciphertext belongs to. It opens only in the same place: pasted into another row it is worthless. */
export interface SecretPlace {
  readonly tenantId: string;
  readonly rowId: string;
  readonly kind: "credential" | "tenant-key";
}

export interface Vault {
  readonly kekId: string;
  seal(place: SecretPlace, secret: string): Uint8Array<ArrayBuffer>;
  /** Throws where the ciphertext was changed, moved to another row, or sealed with another KEK. */
  open(place: SecretPlace, sealed: Uint8Array): string;
}

const versionByte = 1;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * A vault over one KEK of exactly 32 bytes. Sealed form: version (1 byte), nonce (12), AES-256-GCM ciphertext, tag (16);
 * the additional data are the place. Throws a `RangeError` on a KEK of any other length.
 */
export function openVault(kek: Uint8Array): Vault {
  if (kek.byteLength !== 32) throw new RangeError(`the KEK has ${kek.byteLength} bytes instead of 32`);
  const key = Buffer.from(kek);
  return {
    kekId: createHash("sha256").update("xvault kek id").update(key).digest("hex").slice(0, 16),
    seal(place, secret) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(additionalData(place));
      const body = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
      return new Uint8Array(Buffer.concat([Buffer.from([versionByte]), nonce, body, cipher.getAuthTag()]));
    },
    open(place, sealed) {
      if (sealed[0] !== versionByte || sealed.byteLength < 1 + nonceBytes + tagBytes)
        throw new Error("unknown form of a sealed secret");
      const nonce = sealed.subarray(1, 1 + nonceBytes);
      const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes })
        .setAAD(additionalData(place))
        .setAuthTag(sealed.subarray(-tagBytes));
      return Buffer.concat([decipher.update(sealed.subarray(1 + nonceBytes, -tagBytes)), decipher.final()]).toString(
        "utf8",
      );
    },
  };
}

function additionalData(place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([place.tenantId, place.rowId, place.kind]));
}
