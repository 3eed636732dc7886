// Many subscribers who are all cut off at the same moment and all come back at the next, as after a restart of a network.
import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { WebSocket } from "ws";
import { until } from "../../live/watched.ts";
import type { StagedHub } from "../../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../../stage/tenant.ts";

const query = "subscription ($id: ID!) { jobsChanged(tenantId: $id) { cursor } }";

/** Fails where one of them is refused or not told anything, or where a channel or a listener of somebody who is gone is left. */
export async function reconnectAtOnce(
  hub: StagedHub,
  { clients, rounds }: { readonly clients: number; readonly rounds: number },
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const tenant = await stageTenant(hub);
  const redis = stack.adopt(new Redis(hub.redis.url), (client) => client.disconnect());
  const channels = async () => ((await redis.pubsub("CHANNELS", "xvault:*")) as string[]).length;
  for (let round = 0; round < rounds; round++) {
    const sockets = await Promise.all(Array.from({ length: clients }, () => come(hub, tenant)));
    await until(async () => (await channels()) === 1);
    for (const socket of sockets) socket.terminate();
  }
  await until(async () => (await channels()) === 0);
  assert.doesNotMatch(hub.lines.join("\n"), /MaxListenersExceeded|unexpected error/);
}

/** Resolves once it was told where things stand. */
async function come(hub: StagedHub, { token, tenantId }: StagedTenant): Promise<WebSocket> {
  const socket = new WebSocket(hub.graphqlUrl.replace(/^http/, "ws"), "graphql-transport-ws");
  const say = (message: object) => socket.send(JSON.stringify(message));
  const told = Promise.withResolvers<void>();
  socket.on("error", told.reject);
  socket.on("close", (code) => told.reject(new Error(`closed with ${code}`)));
  socket.on("open", () => say({ type: "connection_init", payload: { authorization: `Bearer ${token}` } }));
  socket.on("message", (data) => {
    const { type } = JSON.parse(String(data)) as { type: string };
    if (type === "connection_ack") say({ id: "1", type: "subscribe", payload: { query, variables: { id: tenantId } } });
    if (type === "next") told.resolve();
  });
  await told.promise;
  return socket;
}
