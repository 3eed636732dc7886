// The key pair that the hub seals secrets to: made at start, kept in memory, gone with the process.
import { Decrypter, generateX25519Identity, identityToRecipient } from "age-encryption";

export class ProcessIdentity {
  /** age recipient. */
  readonly publicKey: string;
  readonly #identity: string;

  private constructor(publicKey: string, identity: string) {
    this.publicKey = publicKey;
    this.#identity = identity;
  }

  static async generate(): Promise<ProcessIdentity> {
    const identity = await generateX25519Identity();
    return new ProcessIdentity(await identityToRecipient(identity), identity);
  }

  /** The JSON value in an answer of `claimSecrets`; the caller parses it. Throws where it was sealed to somebody else. */
  async open(sealed: string): Promise<unknown> {
    const decrypter = new Decrypter();
    decrypter.addIdentity(this.#identity);
    return JSON.parse(await decrypter.decrypt(Buffer.from(sealed, "base64"), "text"));
  }
}
