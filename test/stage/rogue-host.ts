// A hostile SSH server: it notes every password it is offered, and serves whatever no honest file system would.
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import ssh2, { type Connection, type SFTPWrapper } from "ssh2";

const { Server, utils } = ssh2;
const { STATUS_CODE } = utils.sftp;

export interface RogueEntry {
  readonly name: string;
  /** A regular file where it is not set. */
  readonly mode?: number;
  /** As announced; the content is zeros. @default 0 */
  readonly size?: number;
}

export interface RogueOptions {
  /** Of every directory there is. */
  readonly names?: readonly RogueEntry[];
  /** Directories go on for ever, this many names at a time. */
  readonly endlessNames?: number;
  /** No answer to any read that reaches this byte. */
  readonly stallAtByte?: number;
  /** The connection breaks at the read that reaches this byte. */
  readonly dropAtByte?: number;
  /** Never more bytes than this in one answer. */
  readonly bytesPerRead?: number;
  /** Every read fails, as on a broken disk. */
  readonly failReads?: boolean;
  /** The only way in is a dialogue of these questions; one that is shown as it is typed has no secret for its answer. */
  readonly questions?: readonly { readonly prompt: string; readonly echo: boolean }[];
  /** Milliseconds before every answer to a read. */
  readonly readDelayMs?: number;
}

export interface RogueHost extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly hostKey: string;
  /** Every password that any client gave away. */
  readonly passwords: readonly string[];
  /** Most requests for content that were waiting for their answer at one time. */
  readonly mostReadsAtOnce: () => number;
}

export async function stageRogueHost(options: RogueOptions = {}): Promise<RogueHost> {
  const key = makeHostKey();
  const passwords: string[] = [];
  const connections = new Set<Connection>();
  const reads = { waiting: 0, most: 0 };
  const server = new Server({ hostKeys: [key.private], ident: "rogue_1.0" }, (connection) => {
    connections.add(connection);
    connection.on("error", () => undefined);
    connection.on("close", () => connections.delete(connection));
    connection.on("authentication", (context) => {
      const { questions } = options;
      if (questions) {
        if (context.method !== "keyboard-interactive") return context.reject(["keyboard-interactive"]);
        return context.prompt([...questions], "", "", (answers) => {
          passwords.push(...answers);
          context.accept();
        });
      }
      if (context.method !== "password") return context.reject(["password"]);
      passwords.push(context.password);
      context.accept();
    });
    connection.on("session", (accept) =>
      accept().on("sftp", (acceptSftp) => serve(acceptSftp(), connection, options, reads)),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    hostKey: fingerprint(key.public),
    passwords,
    mostReadsAtOnce: () => reads.most,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const connection of connections) connection.end();
      await closed;
    },
  };
}

function serve(
  sftp: SFTPWrapper,
  connection: Connection,
  options: RogueOptions,
  reads: { waiting: number; most: number },
): void {
  const { names = [], endlessNames = 0, stallAtByte = Infinity, dropAtByte = Infinity } = options;
  const { bytesPerRead = Infinity, readDelayMs = 0, failReads = false } = options;
  /** By handle: what is left to list, or how long the file is. */
  const listed = new Map<number, number>();
  const sizes = new Map<number, number>();
  let lastHandle = 0;

  const handleOf = (bytes: Buffer) => bytes.readUInt32BE(0);
  function newHandle(): Buffer {
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(++lastHandle);
    return handle;
  }
  function find(path: string): RogueEntry | undefined {
    return names.find(({ name }) => path.endsWith(`/${name}`));
  }
  function look(request: number, path: string): void {
    const entry = path === "/" ? { name: "", mode: 0o040755 } : find(path);
    if (entry) sftp.attrs(request, attributes(entry));
    else sftp.status(request, STATUS_CODE.NO_SUCH_FILE);
  }

  sftp.on("STAT", look).on("LSTAT", look);
  sftp.on("OPENDIR", (request) => {
    const handle = newHandle();
    listed.set(handleOf(handle), 0);
    sftp.handle(request, handle);
  });
  sftp.on("READDIR", (request, handle) => {
    const sent = listed.get(handleOf(handle)) ?? 0;
    const batch =
      endlessNames > 0
        ? Array.from({ length: endlessNames }, (_, index) => ({ name: `n${sent + index}`, mode: 0o040755 }))
        : names.slice(sent);
    listed.set(handleOf(handle), sent + batch.length);
    if (batch.length === 0) return sftp.status(request, STATUS_CODE.EOF);
    sftp.name(
      request,
      batch.map((entry) => ({ filename: entry.name, longname: entry.name, attrs: attributes(entry) })),
    );
  });
  sftp.on("OPEN", (request, path) => {
    const entry = find(path);
    if (!entry) return sftp.status(request, STATUS_CODE.NO_SUCH_FILE);
    const handle = newHandle();
    sizes.set(handleOf(handle), entry.size ?? 0);
    sftp.handle(request, handle);
  });
  sftp.on("READ", (request, handle, offset, length) => {
    if (failReads) return sftp.status(request, STATUS_CODE.FAILURE);
    const end = Math.min(offset + Math.min(length, bytesPerRead), sizes.get(handleOf(handle)) ?? 0);
    reads.most = Math.max(reads.most, ++reads.waiting);
    if (end >= dropAtByte) return void connection.end();
    if (end >= stallAtByte) return;
    setTimeout(() => {
      reads.waiting--;
      if (end <= offset) sftp.status(request, STATUS_CODE.EOF);
      else sftp.data(request, Buffer.alloc(end - offset));
    }, readDelayMs);
  });
  sftp.on("CLOSE", (request) => sftp.status(request, STATUS_CODE.OK));
}

/** ssh2 makes a key now and then that it cannot read itself. */
function makeHostKey() {
  for (;;) {
    const key = utils.generateKeyPairSync("ed25519");
    if (!(utils.parseKey(key.private) instanceof Error)) return key;
  }
}

function attributes({ mode = 0o100644, size = 0 }: Pick<RogueEntry, "mode" | "size">) {
  return { mode, size, uid: 0, gid: 0, atime: 0, mtime: 0 };
}

function fingerprint(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}
