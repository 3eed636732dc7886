// How a test sees that something hostile was refused: by its code, and at what cost in memory.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ArtifactError } from "#artifact/node";

/** For `assert.rejects`. */
export function isRefusal(code: ArtifactError["code"]): (error: unknown) => boolean {
  return (error) => error instanceof ArtifactError && error.code === code;
}

/** Heap in use once what nobody holds is gone, and all other memory of the process. */
export function memoryInUse(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  // What the first one finds is swept in the background, which the second one waits for.
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
