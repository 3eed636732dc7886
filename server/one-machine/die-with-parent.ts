// Loaded ahead of a child's own code: ends the child when the process that started it is gone, even by kill -9.
if (process.channel) {
  process.channel.unref(); // the channel alone must not keep a finished child alive
  process.once("disconnect", () => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.kill(process.pid, "SIGKILL"), 30_000).unref();
  });
}
