// Asks for what a source is, type by type: its settings, and the secrets that go with them.
import { readFile } from "node:fs/promises";
import { CommandError, reasonOf } from "../failure.ts";
import type { Questions } from "../questions.ts";

export const sourceTypes = {
  SSH: "A server over SSH: files, read through its own tar (the fastest way)",
  SFTP: "A server over SFTP: files, where no commands may be run",
  FTP: "A server over FTP or FTPS: files",
  POSTGRES: "A PostgreSQL server: dumps of its databases",
  MYSQL: "A MySQL or MariaDB server: dumps of its databases",
  WORDPRESS: "A WordPress site over SSH: its files and its database",
} as const;

export type SourceType = keyof typeof sourceTypes;

export interface SignIn {
  password?: string;
  privateKey?: string;
  passphrase?: string;
}

export interface Secret extends SignIn {
  ssh?: SignIn;
  jump?: SignIn;
}

export interface Settings {
  readonly config: Record<string, unknown>;
  readonly secret: Secret;
}

export async function askSettings(questions: Questions, type: SourceType): Promise<Settings> {
  switch (type) {
    case "SSH":
    case "SFTP":
    case "WORDPRESS":
      return askFilesOverSsh(questions, type);
    case "FTP":
      return askFtp(questions);
    case "POSTGRES":
      return askDatabase(questions, 5432);
    case "MYSQL":
      return askDatabase(questions, 3306);
  }
}

async function askFilesOverSsh(questions: Questions, type: SourceType): Promise<Settings> {
  const { config, secret, jumpSecret } = await askSshServer(questions);
  const path = await questions.text(type === "WORDPRESS" ? "Directory of the site" : "Path to back up");
  const exclude = await askList(questions, "Leave out, patterns as in a .gitignore, with commas between them");
  return {
    config: { ...config, path, ...(exclude.length > 0 && { exclude }) },
    secret: { ...secret, ...(jumpSecret && { jump: jumpSecret }) },
  };
}

async function askFtp(questions: Questions): Promise<Settings> {
  const host = await questions.text("Host");
  const port = await questions.number("Port", 21);
  const username = await questions.text("User");
  const password = await questions.secret("Password");
  const path = await questions.text("Path to back up", "/");
  const encrypted = await questions.yes("Encrypt the connection (TLS)", true);
  const exclude = await askList(questions, "Leave out, patterns as in a .gitignore, with commas between them");
  return {
    config: { host, port, username, path, tls: encrypted ? "required" : "off", ...(exclude.length > 0 && { exclude }) },
    secret: { password },
  };
}

async function askDatabase(questions: Questions, defaultPort: number): Promise<Settings> {
  const overSsh = await questions.yes("Reach the database through SSH (its own server, or one near it)", true);
  const way = overSsh ? await askSshServer(questions, "SSH server: ") : null;
  const host = await questions.text("Database: host", overSsh ? "127.0.0.1" : undefined);
  const port = await questions.number("Database: port", defaultPort);
  const username = await questions.text("Database: user");
  const password = await questions.secret("Database: password (empty: none)");
  const databases = await askList(questions, "Databases, with commas between them; empty: all of them");
  return {
    config: {
      ...{ host, port, username },
      ...(databases.length > 0 && { databases }),
      ...(way && { ssh: way.config }),
    },
    secret: {
      ...(password !== "" && { password }),
      ...(way && { ssh: way.secret }),
      ...(way?.jumpSecret && { jump: way.jumpSecret }),
    },
  };
}

async function askSshServer(questions: Questions, prefix = "") {
  const host = await questions.text(`${prefix}Host`);
  const port = await questions.number(`${prefix}Port`, 22);
  const username = await questions.text(`${prefix}User`);
  const secret = await askSignIn(questions, prefix);
  const hasJump = await questions.yes(`${prefix}Go there by way of a jump host (bastion)`, false);
  if (!hasJump) return { config: { host, port, username }, secret, jumpSecret: null };
  const jump = {
    host: await questions.text("Jump host: Host"),
    port: await questions.number("Jump host: Port", 22),
    username: await questions.text("Jump host: User"),
  };
  return { config: { host, port, username, jump }, secret, jumpSecret: await askSignIn(questions, "Jump host: ") };
}

/** A private key is read from a file here and now: the hub gets its text, not its path. */
async function askSignIn(questions: Questions, prefix: string): Promise<SignIn> {
  for (;;) {
    const file = await questions.text(`${prefix}File of the private key; empty: sign in with a password`, "");
    if (file === "") return { password: await questions.secret(`${prefix}Password`) };
    try {
      const privateKey = await readFile(file, "utf8");
      const passphrase = await questions.secret(`${prefix}Passphrase of the key (empty: none)`);
      return { privateKey, ...(passphrase !== "" && { passphrase }) };
    } catch (cause) {
      if (cause instanceof CommandError) throw cause;
      questions.say(`  ${file} cannot be read: ${reasonOf(cause)}.`);
    }
  }
}

async function askList(questions: Questions, label: string): Promise<string[]> {
  const answer = await questions.text(label, "");
  return answer
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}
