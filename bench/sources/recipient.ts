// Somebody to seal to.
import { generateX25519Identity, identityToRecipient } from "age-encryption";

export async function benchRecipient(): Promise<string> {
  return identityToRecipient(await generateX25519Identity());
}
