// Takes the age recipients that a customer names, and nothing else: above all no private key, of which nothing is ever repeated.
import { Encrypter } from "age-encryption";
import { type InputFault, InvalidInputError } from "./errors.ts";

/** More than a family of keys has: each one costs a header of every artifact. */
const most = 8;

export interface Recipient {
  /** `age1…` or `age1pq1…`. */
  readonly publicKey: string;
  readonly algorithm: "age-x25519" | "age-mlkem768x25519";
}

/** Each is tried by sealing something to it. Throws `InvalidInputError` with a fault for every one that cannot be taken. */
export async function parseRecipients(given: readonly string[]): Promise<Recipient[]> {
  if (given.length === 0)
    throw new InvalidInputError([{ path: "recipients", message: "Name at least one age recipient." }]);
  if (given.length > most)
    throw new InvalidInputError([{ path: "recipients", message: `Name at most ${most} age recipients.` }]);
  const recipients = given.map((each) => each.trim());
  const faults: InputFault[] = [];
  for (const [n, recipient] of recipients.entries()) {
    const message =
      recipients.indexOf(recipient) < n ? "This recipient is named twice." : await recipientFault(recipient);
    if (message) faults.push({ path: `recipients.${n}`, message });
  }
  if (faults.length > 0) throw new InvalidInputError(faults);
  return recipients.map((publicKey) => ({
    publicKey,
    algorithm: publicKey.startsWith("age1pq1") ? "age-mlkem768x25519" : "age-x25519",
  }));
}

async function recipientFault(recipient: string): Promise<string | null> {
  if (/AGE-SECRET-KEY-|AGE-PLUGIN-|PRIVATE KEY/i.test(recipient))
    return "This is a private key. It was not stored; but it has left your hands, so make a new one, and give its public half: age-keygen -y key.txt";
  if (/^(ssh-|ecdsa-|sk-)/i.test(recipient))
    return "SSH keys are not taken: make a key with age-keygen and give its public half.";
  // Behind a second `1` stands the key, in front of it the plugin's name.
  if (/^age1(?!pq1)[a-z0-9_.+-]{1,40}1/.test(recipient))
    return "Recipients of plugins and hardware tokens are not taken: make a key with age-keygen and give its public half.";
  if (!recipient.startsWith("age1"))
    return "An age recipient begins with age1; a passphrase is none. Make a key with age-keygen and give its public half.";
  try {
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    await encrypter.encrypt("to be thrown away");
    return null;
  } catch {
    return "This is no age recipient: a character of it is missing or wrong. Copy it again, whole.";
  }
}
