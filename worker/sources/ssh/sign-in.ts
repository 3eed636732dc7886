// Turns what a customer gave us into the ways of signing in that ssh2 tries, one after another.
import ssh2, { type AnyAuthMethod, type ParsedKey, type Prompt } from "ssh2";
import type { SignIn } from "../source.ts";
import { SourceError } from "../source-error.ts";
import { authFailed } from "./failure.ts";

const onePrivateKey = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]*?-----END \1PRIVATE KEY-----/g;

/** Keys first, then the password, then the server's own dialogue. Throws `SourceError` where there is nothing to try. */
export function waysToSignIn(host: string, username: string, signIn: SignIn): AnyAuthMethod[] {
  const { password, privateKey, passphrase } = signIn;
  const ways: AnyAuthMethod[] = [];
  if (privateKey !== undefined)
    for (const key of parseKeys(privateKey, passphrase)) ways.push({ type: "publickey", username, key });
  if (password !== undefined) {
    ways.push({ type: "password", username, password });
    ways.push({ type: "keyboard-interactive", username, prompt: answering(password) });
  }
  if (ways.length === 0) throw authFailed({ host, username });
  return ways;
}

function parseKeys(text: string, passphrase: string | undefined): ParsedKey[] {
  const texts = text.match(onePrivateKey) ?? [text];
  return texts.map((each, index) => {
    const parsed: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(each, passphrase);
    const key = Array.isArray(parsed) ? parsed[0] : parsed;
    if (key && !(key instanceof Error)) return key;
    const which = texts.length === 1 ? "The private key" : `Private key ${index + 1}`;
    throw new SourceError(
      "SOURCE_AUTH_FAILED",
      `${which} of this source cannot be opened: it is not an OpenSSH or PEM private key, or its passphrase is missing or wrong.`,
      { cause: key },
    );
  });
}

/** Servers that ask for the password in a dialogue of their own get it wherever they do not echo the answer. */
function answering(password: string) {
  return (_name: string, _lead: string, _language: string, prompts: Prompt[], finish: (answers: string[]) => void) =>
    finish(prompts.map(({ echo }) => (echo ? "" : password)));
}
