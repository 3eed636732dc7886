// Two hubs on one earth, reached through one address: what customers and workers know is the balancer.
import { stageBalancer } from "./balancer.ts";
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
  const open = stack.use(await stageBalancer(hubs.map(({ publicUrl }) => publicUrl)));
  const closed = stack.use(await stageBalancer(hubs.map(({ privateUrl }) => privateUrl)));
  const running = stack.move();
  return {
    ...earth,
    hubs,
    graphqlUrl: `${open.url}/graphql`,
    privateUrl: closed.url,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
