// Gets a secret from where others cannot see it: a prompt that shows nothing, a pipe, or a file. Never from the arguments.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { CommandError, exitCodes, reasonOf } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

const longestInput = 4096;

/** The first line of `file`, if one is named, or of standard input; asked for where that is a terminal. */
export async function readPassword(terminal: Terminal, file: string | undefined): Promise<string> {
  const password = file === undefined ? await fromInput(terminal, "Password") : firstLine(await fromFile(file));
  if (password === "") throw new CommandError("No password was given.", { exitCode: exitCodes.usage });
  return password;
}

/** The first line of standard input; asked for where that is a terminal. */
export async function readApiKey(terminal: Terminal): Promise<string> {
  const key = (await fromInput(terminal, "API key")).trim();
  if (key === "") throw new CommandError("No API key was given.", { exitCode: exitCodes.usage });
  return key;
}

function fromInput(terminal: Terminal, label: string): Promise<string> {
  return terminal.stdin.isTTY ? ask(terminal, label) : fromPipe(terminal);
}

async function fromFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new CommandError(`The password file ${file} cannot be read: ${reasonOf(cause)}.`, { cause });
  }
}

async function fromPipe({ stdin, signal }: Terminal): Promise<string> {
  let text = "";
  stdin.setEncoding("utf8");
  for await (const chunk of stdin) {
    signal.throwIfAborted();
    text += chunk;
    if (text.includes("\n") || text.length > longestInput) break;
  }
  return firstLine(text);
}

async function ask({ stdin, stderr, signal }: Terminal, label: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: stdin, output: nowhere, terminal: true, historySize: 0 });
  stderr.write(`${label}: `);
  try {
    return await new Promise<string>((resolve, reject) => {
      const interrupted = new CommandError("Interrupted.", { exitCode: exitCodes.interrupted });
      prompt.once("line", resolve);
      // Ctrl-C is a key like any other while the terminal hands over every key, and Ctrl-D ends the input.
      prompt.once("SIGINT", () => reject(interrupted));
      prompt.once("close", () => resolve(""));
      signal.addEventListener("abort", () => reject(interrupted), { once: true });
    });
  } finally {
    prompt.close();
    stderr.write("\n");
  }
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? "";
}
