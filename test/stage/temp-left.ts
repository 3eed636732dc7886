// What work left in the temporary directory of a worker, apart from the place that its process has there.
import { readdir } from "node:fs/promises";

const place = /^worker-[0-9a-f]{8}(\/[0-9a-f]{8}(\.alive)?)?$/;

/** Paths below `base`; none where there is no such directory. */
export async function tempLeft(base: string): Promise<string[]> {
  const paths = await readdir(base, { recursive: true }).catch(() => []);
  return paths.filter((path) => !place.test(path));
}
