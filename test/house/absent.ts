// Looks for secrets where none may be.
import assert from "node:assert/strict";

/** A secret as it is, and in the forms that would give it away just as well. */
function forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [secret, bytes.toString("base64").replace(/=+$/, ""), bytes.toString("hex"), encodeURIComponent(secret)];
}

/** Fails with the name of the first secret that is found, and never with the secret. */
export function assertAbsent(secrets: Readonly<Record<string, string>>, where: string, text: string): void {
  for (const [name, secret] of Object.entries(secrets))
    for (const form of forms(secret)) assert.ok(!text.includes(form), `the ${name} is readable in ${where}`);
}
