// A hostile FTP server: it notes every command it is sent, and does what no honest server would.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";

export interface RogueFile {
  readonly content: Uint8Array;
  /** As listings and SIZE tell it; the true one where it is not set. */
  readonly announced?: number;
  /** As it is told by the n-th MDTM, the last one from then on. */
  readonly modified?: readonly string[];
}

/** A certificate and its key, in PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface RogueFtpOptions {
  /** Without it, TLS is nothing that the server has heard of. Data connections may show another certificate. */
  readonly tls?: { readonly control: Identity; readonly data: Identity };
  /** By absolute path, one byte for each character. */
  readonly files?: Readonly<Record<string, RogueFile>>;
  /** In place of what is there: the lines of every directory, as MLSD gives them. */
  readonly listing?: readonly string[];
  /** Listings go on for ever. */
  readonly endlessListing?: boolean;
  /** The content of every file goes on for ever after its own. */
  readonly endlessFiles?: boolean;
  /** Bytes of greeting, without a line end in them. */
  readonly greetingBytes?: number;
  /** In place of an honest reply, by command; empty for silence. A function may answer honestly, with null, some of the times. */
  readonly replies?: Readonly<Record<string, string | ((times: number) => string | null)>>;
  /** Sign-ins at one time; others get the reply. */
  readonly mostSignIns?: { readonly count: number; readonly reply: string };
  /** How often a file's content is cut, and after how many bytes; politely, as if it were the end, where `asEnd` is set. */
  readonly cut?: { readonly times: number; readonly afterBytes: number; readonly asEnd?: boolean };
  /** Nothing more of any file after so many bytes of it. */
  readonly stallAfterBytes?: number;
}

export interface RogueFtp extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Every command so far, of all connections. */
  readonly commands: readonly string[];
  readonly mostSignInsAtOnce: () => number;
  /** Bytes that the server could get rid of on data connections. */
  readonly sentBytes: () => number;
}

export async function stageRogueFtp(options: RogueFtpOptions = {}): Promise<RogueFtp> {
  const rogue = new Rogue(options);
  const port = await rogue.listen((socket) => rogue.serve(socket));
  return {
    host: "127.0.0.1",
    port,
    commands: rogue.commands,
    mostSignInsAtOnce: () => rogue.mostSignedIn,
    sentBytes: () => rogue.sent,
    [Symbol.asyncDispose]: () => rogue.close(),
  };
}

class Rogue {
  readonly commands: string[] = [];
  mostSignedIn = 0;
  sent = 0;
  readonly #options: RogueFtpOptions;
  readonly #sockets = new Set<Socket>();
  readonly #servers = new Set<Server>();
  readonly #times = new Map<string, number>();
  #signedIn = 0;
  #cuts = 0;
  readonly #tls: { readonly control: SecureContext; readonly data: SecureContext } | null;

  constructor(options: RogueFtpOptions) {
    this.#options = options;
    const { tls } = options;
    const control = tls && createSecureContext(tls.control);
    // In one context, sessions of one connection are taken up again on another.
    this.#tls = control ? { control, data: tls.data === tls.control ? control : createSecureContext(tls.data) } : null;
  }

  async listen(onSocket: (socket: Socket) => void): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket)));
      onSocket(socket);
    });
    this.#servers.add(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = [...this.#servers].map((each) => new Promise<void>((resolve) => each.close(() => resolve())));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  serve(control: Socket): void {
    const { greetingBytes = 0 } = this.#options;
    const session: Session = { control, data: null, offset: 0, signedIn: false };
    control.on("close", () => {
      if (session.signedIn) this.#signedIn--;
    });
    if (greetingBytes > 0) void this.#flood(control, greetingBytes);
    else control.write("220 at your service\r\n");
    this.#listenFor(session);
  }

  #listenFor(session: Session): void {
    let text = "";
    let answered: Promise<unknown> = Promise.resolve();
    session.control.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const lines = text.split("\r\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        this.commands.push(line);
        answered = answered.then(() => this.#answer(session, line));
      }
    });
  }

  #encrypt(socket: Socket, secureContext: SecureContext): TLSSocket {
    return new TLSSocket(socket, { isServer: true, secureContext }).on("error", () => undefined);
  }

  async #answer(session: Session, line: string): Promise<void> {
    const { replies = {}, mostSignIns } = this.#options;
    const [command = ""] = line.split(" ");
    const path = line.slice(command.length + 1);
    const times = (this.#times.get(command) ?? 0) + 1;
    this.#times.set(command, times);
    const say = (reply: string) => void session.control.write(Buffer.from(`${reply}\r\n`, "latin1"));
    const own = replies[command];
    const reply = typeof own === "function" ? own(times) : own;
    if (reply !== undefined && reply !== null) return reply === "" ? undefined : say(reply);
    const file = this.#options.files?.[path];
    if (command === "USER") return say("331 go on");
    if (command === "PASS") {
      if (mostSignIns && this.#signedIn >= mostSignIns.count) return say(mostSignIns.reply);
      session.signedIn = true;
      this.mostSignedIn = Math.max(this.mostSignedIn, ++this.#signedIn);
      return say("230 welcome");
    }
    if (command === "FEAT") return say("211-Features\r\n MLST type*;size*;modify*;\r\n REST STREAM\r\n211 End");
    if (command === "PWD") return say('257 "/" is where you are');
    if (command === "EPSV") return say(`229 passive (|||${await this.#passive(session)}|)`);
    if (command === "PASV") {
      const port = await this.#passive(session);
      return say(`227 passive (127,0,0,1,${port >> 8},${port & 255})`);
    }
    if (command === "CWD") return say(file ? "550 a file" : "250 there");
    if (command === "REST") {
      session.offset = Number(path);
      return say("350 from there");
    }
    if (command === "MLSD") return this.#send(session, say, (data) => this.#list(data, path));
    if (command === "LIST") return say("502 not here");
    if (command === "RETR" && file) return this.#send(session, say, (data) => this.#retrieve(session, data, file));
    if (command === "SIZE" && file) return say(`213 ${file.announced ?? file.content.length}`);
    if (command === "MDTM" && file)
      return say(`213 ${file.modified?.[times - 1] ?? file.modified?.at(-1) ?? "20260102030405"}`);
    if (/^(SIZE|MDTM|RETR)$/.test(command)) return say("550 no such thing");
    if (command === "AUTH" && this.#tls) {
      say("234 go on");
      session.control.removeAllListeners("data");
      session.control = this.#encrypt(session.control, this.#tls.control);
      return this.#listenFor(session);
    }
    if (command === "AUTH") return say("500 what?");
    say("200 fine");
  }

  async #passive(session: Session): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    session.data = promise;
    return this.listen(resolve);
  }

  async #send(session: Session, say: (reply: string) => void, send: (data: Socket) => Promise<string | null>) {
    const connected = await session.data;
    if (!connected) return say("425 no connection");
    const data = this.#tls ? this.#encrypt(connected, this.#tls.data) : connected;
    say("150 here it comes");
    const reply = await send(data);
    if (reply === null) return;
    data.end();
    say(reply);
  }

  async #list(data: Socket, path: string): Promise<string> {
    const { files = {}, listing, endlessListing } = this.#options;
    for (let at = 0; endlessListing && !data.destroyed; at += 1_000) {
      const lines = Array.from({ length: 1_000 }, (_, index) => `type=file;size=1; n${at + index}\r\n`);
      await this.#write(data, Buffer.from(lines.join("")));
    }
    const inside = Object.entries(files)
      .filter(([name]) => name.slice(0, name.lastIndexOf("/") + 1) === (path.endsWith("/") ? path : `${path}/`))
      .map(([name, { content, announced }]) => {
        const size = announced ?? content.length;
        return `type=file;size=${size};modify=20260102030405; ${name.slice(name.lastIndexOf("/") + 1)}`;
      });
    await this.#write(data, Buffer.from([...(listing ?? inside), ""].join("\r\n"), "latin1"));
    return "226 that was it";
  }

  /** Null where there is nothing more to be said. */
  async #retrieve(session: Session, data: Socket, { content }: RogueFile): Promise<string | null> {
    const { cut, stallAfterBytes = Infinity, endlessFiles } = this.#options;
    const { control, offset } = session;
    session.offset = 0;
    const cuts = cut && this.#cuts < cut.times && content.length > cut.afterBytes;
    const end = Math.min(cuts ? cut.afterBytes : Infinity, stallAfterBytes, content.length);
    await this.#write(data, content.subarray(offset, Math.max(offset, end)));
    if (cuts) {
      this.#cuts++;
      if (cut.asEnd) return "226 that was it";
      // What was written is to arrive first.
      await pause(50);
      data.resetAndDestroy();
      control.resetAndDestroy();
      return null;
    }
    if (stallAfterBytes <= content.length) return null;
    const zeros = Buffer.alloc(65_536);
    while (endlessFiles && !data.destroyed) await this.#write(data, zeros);
    return data.destroyed ? "426 you left" : "226 that was it";
  }

  async #flood(socket: Socket, bytes: number): Promise<void> {
    const chunk = Buffer.alloc(65_536, "a");
    for (let at = 0; at < bytes && !socket.destroyed; at += chunk.length) await this.#write(socket, chunk);
  }

  async #write(socket: Socket, bytes: Uint8Array): Promise<void> {
    if (socket.destroyed) return;
    this.sent += bytes.length;
    if (socket.write(bytes)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once("drain", resolve).once("close", () => resolve());
    await promise;
  }
}

interface Session {
  control: Socket;
  data: Promise<Socket> | null;
  /** Where the next file is to begin. */
  offset: number;
  signedIn: boolean;
}
