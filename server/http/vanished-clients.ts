// Parts with clients that are gone without a word in the middle of an answer. A stream of events has no pong: that nobody acknowledges
// its pings, only the kernel knows, which would itself go on for a quarter of an hour.
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import ipaddr from "ipaddr.js";

export interface VanishedClients {
  /** Until the answer has ended. */
  watch(response: ServerResponse): void;
  stop(): void;
}

const lookEveryMs = 2_000;
/**
 * How often the same is sent again without an answer, with twice the time before each: some seven seconds. Together with a ping every
 * 12 s and the time between two looks it stays below 24 s. A client that merely does not read is not meant: its kernel answers.
 */
const mostTries = 5;
/** IPv4 and IPv6. There are none where the kernel is not Linux: there it is left to TCP. */
const tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

export function partWithVanished(): VanishedClients {
  const open = new Set<Socket>();
  let isLooking = false;

  async function look(): Promise<void> {
    if (open.size === 0 || isLooking) return;
    isLooking = true;
    const texts = await Promise.all(tables.map((table) => readFile(table, "latin1").catch(() => "")));
    isLooking = false;
    const lost = new Set(texts.flatMap(unanswered));
    if (lost.size === 0) return;
    for (const socket of open) if (lost.has(connectionOf(socket))) socket.destroy();
  }

  const timer = setInterval(() => void look(), lookEveryMs);
  timer.unref();
  return {
    watch(response) {
      const { socket } = response;
      if (!socket) return;
      open.add(socket);
      response.once("close", () => open.delete(socket));
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * A line for each connection: number, both addresses, state (1: established), queues, timer, how often it was sent again in vain, user,
 * and how often a closed window was asked after in vain.
 */
const line = /^ *\d+: ([0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4}) 01 \S+ \S+ ([0-9A-F]{8}) +\d+ +(\d+) /gm;

/** The established connections of a table on which nothing was answered for long. */
function unanswered(table: string): string[] {
  return table
    .matchAll(line)
    .flatMap(([, connection = "", again = "0", asked = "0"]) =>
      Number.parseInt(again, 16) >= mostTries || Number(asked) >= mostTries ? [connection] : [],
    )
    .toArray();
}

/** As the table names it. */
function connectionOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${endOf(localAddress, localPort)} ${endOf(remoteAddress, remotePort)}`;
}

/** Words of four bytes, each in the order of the machine: the smallest byte first on all that Node runs on. */
function endOf(address = "", port = 0): string {
  if (!ipaddr.isValid(address)) return "";
  const bytes = Buffer.from(ipaddr.parse(address).toByteArray()).swap32();
  return `${bytes.toString("hex")}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
}
