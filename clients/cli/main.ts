#!/usr/bin/env -S MALLOC_ARENA_MAX=2 node --max-semi-space-size=4
// The `xvault` command. Looks at the version of Node before it loads anything that an older one could not. It is started lean (both
// settings are read before the first line of ours): a gigabyte that passes through would otherwise leave 60 MB behind.

const oldestMajor = 24;

if (Number.parseInt(process.versions.node, 10) < oldestMajor) {
  process.stderr.write(`xvault needs Node ${oldestMajor} or newer; this is Node ${process.versions.node}.\n`);
  process.exitCode = 1;
} else {
  const { enableCompileCache } = await import("node:module");
  const { cacheDirectory } = await import("./config.ts");
  // From the second time on it starts in half the time. In the user's own directory: what lies there is run.
  enableCompileCache(cacheDirectory());
  const { runProgram } = await import("./program.ts");
  const exitCode = await runProgram(process.argv.slice(2));
  // Not left to end by itself: a socket to a hub that fell silent would hold it up for minutes.
  process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));
}
