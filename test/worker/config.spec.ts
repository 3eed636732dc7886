import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readWorkerConfig } from "../../worker/config.ts";

const good = {
  WORKER_ID: "wrk_1",
  WORKER_TOKEN: "t".repeat(43),
  HUB_BASE_URL: "http://hub:8081",
  REDIS_URL: "redis://redis:6379",
};

describe("the settings of a worker", () => {
  it("have defaults for everything that may have one", () => {
    const { allowedNetworks, ...config } = readWorkerConfig({ ...good, WORKER_CONCURRENCY: "" });
    assert.deepEqual(config, {
      workerId: "wrk_1",
      token: good.WORKER_TOKEN,
      hubBaseUrl: "http://hub:8081",
      redisUrl: "redis://redis:6379",
      storageBase: "/var/lib/xvault/backups",
      tempBase: "/tmp/gobackup",
      concurrency: 2,
      reserveBytes: 4 * 1024 * 1024,
      acceptEmptyStore: false,
      metrics: null,
      logLevel: "info",
    });
    assert.deepEqual(allowedNetworks, []);
  });

  it("take the token from a file, so that no environment holds it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "xvault-config-"));
    try {
      await writeFile(join(directory, "token"), `${good.WORKER_TOKEN}\n`);
      const { WORKER_TOKEN, ...rest } = good;
      const config = readWorkerConfig({ ...rest, WORKER_TOKEN_FILE: join(directory, "token") });
      assert.equal(config.token, WORKER_TOKEN);
      assert.throws(
        () => readWorkerConfig({ ...rest, WORKER_TOKEN_FILE: join(directory, "none") }),
        /WORKER_TOKEN_FILE/,
      );
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("know the networks that an operator allows", () => {
    const { allowedNetworks } = readWorkerConfig({ ...good, SOURCE_ALLOWED_NETWORKS: "10.0.0.0/8, fd00::/8," });
    assert.deepEqual(
      allowedNetworks.map(([address, bits]) => `${address}/${bits}`),
      ["10.0.0.0/8", "fd00::/8"],
    );
  });

  it("are refused by name, all at once, and without their values", () => {
    const bad = {
      WORKER_ID: "../etc",
      WORKER_TOKEN: "short-secret",
      HUB_BASE_URL: "hub:8081",
      REDIS_URL: "http://redis",
      SOURCE_ALLOWED_NETWORKS: "10.0.0.0/99",
      WORKER_CONCURRENCY: "0",
    };
    assert.throws(
      () => readWorkerConfig(bad),
      ({ message }: Error) => {
        for (const name of Object.keys(bad)) assert.match(message, new RegExp(`^${name}: `, "m"));
        assert.doesNotMatch(message, /short-secret|etc|99/);
        return true;
      },
    );
  });
});
