// Two hubs on one earth, reached through one address: what customers and workers know is the balancer.
import { type Balancer, stageBalancer } from "./balancer.ts";
import { type HubProcess, type HubProcessOptions, type StagedEarth, stageHubProcess } from "./hub-process.ts";

export interface TwoHubs extends StagedEarth {
  readonly hubs: readonly [HubProcess, HubProcess];
  readonly graphqlUrl: string;
  readonly privateUrl: string;
}

/** The earth stays the caller's. */
export async function stageTwoHubs(earth: StagedEarth, options: HubProcessOptions = {}): Promise<TwoHubs> {
  await using stack = new AsyncDisposableStack();
  const hubs = [
    stack.use(await stageHubProcess(earth, options)),
    stack.use(await stageHubProcess(earth, options)),
  ] as const;
  const balance = async (addresses: readonly string[]): Promise<Balancer> =>
    stack.use(await stageBalancer(addresses.map((address) => Number(new URL(address).port))));
  const open = await balance(hubs.map(({ publicUrl }) => publicUrl));
  const closed = await balance(hubs.map(({ privateUrl }) => privateUrl));
  const running = stack.move();
  return {
    ...earth,
    hubs,
    graphqlUrl: `http://127.0.0.1:${open.port}/graphql`,
    privateUrl: `http://127.0.0.1:${closed.port}`,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
