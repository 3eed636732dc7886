// A real Chromium that knows no host but this machine, driven through its own debugging protocol.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";

export interface Page extends AsyncDisposable {
  goTo(url: string): Promise<void>;
  /** The value of an expression, which may be a promise. */
  evaluate<T>(expression: string): Promise<T>;
  /** Asks again until the expression is true; throws after `withinMs`. */
  until(expression: string, withinMs?: number): Promise<void>;
  /** Types over all that stands where the focus is. */
  type(text: string): Promise<void>;
  /** Addresses that were asked for, and what the page complained of. */
  readonly asked: readonly string[];
  readonly complaints: readonly string[];
}

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--remote-debugging-port=0",
  "--window-size=1400,900",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

export async function openPage(): Promise<Page> {
  await using stack = new AsyncDisposableStack();
  const profile = stack.adopt(await mkdtemp(join(tmpdir(), "xvault-browser-")), (folder) =>
    rm(folder, { recursive: true, force: true, maxRetries: 10 }),
  );
  const browser = spawn("chromium", [...flags, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  stack.defer(async () => {
    const exited = once(browser, "exit");
    // It is the leader of its group: its helpers end with it.
    if (browser.pid !== undefined) process.kill(-browser.pid, "SIGKILL");
    await exited;
  });
  const protocol = stack.use(await connect(await targetOf(await debugAddress(browser.stderr))));
  const { call, asked, complaints } = protocol;
  for (const domain of ["Page", "Network", "Runtime", "Log"]) await call(`${domain}.enable`);
  const evaluate = async <T>(expression: string): Promise<T> => {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await call("Runtime.evaluate", options);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  const owned = stack.move();
  return {
    asked,
    complaints,
    evaluate,
    goTo: async (url) => void (await call("Page.navigate", { url })),
    async until(expression, withinMs = 8_000) {
      const deadline = performance.now() + withinMs;
      while (!(await evaluate(`Boolean(${expression})`).catch(() => false))) {
        if (performance.now() > deadline) throw new Error(`never came true: ${expression}\n${complaints.join("\n")}`);
        await pause(50);
      }
    },
    async type(text) {
      const key = { modifiers: 2, key: "a", code: "KeyA", windowsVirtualKeyCode: 65 };
      for (const type of ["rawKeyDown", "keyUp"]) await call("Input.dispatchKeyEvent", { type, ...key });
      await call("Input.insertText", { text });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function debugAddress(stderr: NodeJS.ReadableStream): Promise<URL> {
  for await (const line of createInterface({ input: stderr })) {
    const address = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (address) {
      stderr.resume();
      return new URL(address);
    }
  }
  throw new Error("chromium ended before it could be spoken to");
}

async function targetOf({ host }: URL): Promise<string> {
  const response = await fetch(`http://${host}/json/list`, { signal: AbortSignal.timeout(10_000) });
  const targets = (await response.json()) as { type: string; webSocketDebuggerUrl: string }[];
  const page = targets.find(({ type }) => type === "page");
  if (!page) throw new Error("chromium has no page");
  return page.webSocketDebuggerUrl;
}

// biome-ignore lint/suspicious/noExplicitAny: what comes back depends on the method
type Call = (method: string, params?: object) => Promise<any>;

async function connect(url: string): Promise<{ call: Call; asked: string[]; complaints: string[] } & Disposable> {
  const socket = new WebSocket(url, { maxPayload: 64 * 1024 * 1024 });
  await once(socket, "open");
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const asked: string[] = [];
  const complaints: string[] = [];
  let lastId = 0;
  socket.on("message", (text) => {
    const { id, result, error, method, params } = JSON.parse(String(text));
    if (id !== undefined) {
      if (error) waiting.get(id)?.reject(new Error(error.message));
      else waiting.get(id)?.resolve(result);
      waiting.delete(id);
    }
    if (method === "Network.requestWillBeSent") asked.push(params.request.url);
    if (method === "Runtime.exceptionThrown") complaints.push(params.exceptionDetails.exception?.description ?? "");
    if (method === "Log.entryAdded" && params.entry.level === "error") complaints.push(params.entry.text);
  });
  return {
    asked,
    complaints,
    call(method, params = {}) {
      const answer = Promise.withResolvers<unknown>();
      waiting.set(++lastId, answer);
      socket.send(JSON.stringify({ id: lastId, method, params }));
      return answer.promise;
    },
    [Symbol.dispose]: () => socket.terminate(),
  };
}
