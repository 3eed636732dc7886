// The container files, checked without a Docker engine: what they name exists, what they need is in them, and no secret is.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import * as z from "zod";
import packageJson from "../../package.json" with { type: "json" };
import { leanProcess } from "../../server/one-machine/lean-process.ts";
import { lineage, reachesBuilder, readDockerfile } from "./dockerfile.ts";
import { runtimeClosure } from "./imports.ts";

const root = join(import.meta.dirname, "../..");
const aliases = Object.fromEntries(
  Object.entries(packageJson.imports).map(([name, path]) => [name, typeof path === "string" ? path : path.default]),
);
const textOf = (path: string) => readFileSync(join(root, path), "utf8");

const names = z.array(z.string());
const health = z.strictObject({ test: z.tuple([z.literal("CMD")], z.string()), interval: z.string() });
const shared = z.object({
  restart: z.literal("unless-stopped"),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: names.default([]),
  volumes: z.array(z.string().regex(/^[a-z-]+:\/[\w/]+(:ro)?$/)).default([]),
  networks: names.min(1),
  ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)).default([]),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.literal("service_healthy") })).default({}),
});
const foreign = shared.extend({ image: z.string(), command: names.optional(), healthcheck: health }).strict();
const own = shared
  .extend({
    build: z.strictObject({ context: z.literal("."), target: z.string() }),
    init: z.literal(true),
    read_only: z.literal(true),
    tmpfs: names,
    cap_drop: z.tuple([z.literal("ALL")]),
    security_opt: z.tuple([z.literal("no-new-privileges:true")]),
    stop_grace_period: z.string(),
  })
  .strict();
const composeSchema = z.strictObject({
  name: z.literal("xvault"),
  "x-service": z.unknown(),
  services: z.object({ postgres: foreign, redis: foreign, hub: own, worker: own, restore: own }).strict(),
  networks: z.record(z.string(), z.strictObject({ internal: z.literal(true).optional() })),
  volumes: z.record(z.string(), z.strictObject({})),
  secrets: z.record(z.string(), z.strictObject({ file: z.string().startsWith("./secrets/") })),
});

const compose = composeSchema.parse(parse(textOf("docker-compose.yml"), { merge: true }));
const { hub, worker, restore } = compose.services;
const ours = { hub, worker, restore };
const services = Object.entries(compose.services);
const stages = readDockerfile(textOf("Dockerfile"));
const dockerignore = textOf(".dockerignore");
const dataPlane = ["clients/hub/environment.ts", "clients/hub/account.ts"];
const configs = {
  hub: ["server/config.ts"],
  worker: ["worker/config.ts", ...dataPlane],
  restore: ["restore/config.ts", ...dataPlane],
};
const isGenerated = (file: string) => file.startsWith("prisma/client/") || file === "prisma/pothos.ts";

describe("docker-compose.yml", () => {
  it("uses only networks, volumes, secrets and services that it declares", () => {
    for (const [name, service] of services) {
      for (const network of service.networks) assert.ok(compose.networks[network], `${name}: ${network}`);
      for (const secret of service.secrets) assert.ok(compose.secrets[secret], `${name}: ${secret}`);
      for (const volume of service.volumes)
        assert.ok(compose.volumes[volume.split(":")[0] ?? ""], `${name}: ${volume}`);
      for (const other of Object.keys(service.depends_on)) assert.ok(other in compose.services, `${name}: ${other}`);
    }
  });

  it("keeps Postgres, Redis and the private surface where nobody else gets", () => {
    for (const [name, { ports }] of services)
      for (const port of ports) assert.match(port, /:(8080|8082)$/, `${name} publishes ${port}`);
    assert.equal(compose.networks.private?.internal, true);
    for (const name of ["postgres", "redis"] as const) assert.deepEqual(compose.services[name].networks, ["private"]);
    for (const { environment } of [worker, restore]) assert.equal(environment.HUB_BASE_URL, "http://hub:8081");
  });

  it("holds no secret: each comes from a file that the service mounts", () => {
    for (const [name, { environment, secrets }] of services)
      for (const [variable, value] of Object.entries(environment)) {
        assert.doesNotMatch(value, /:\/\/[^/\s]*:[^/\s]*@/, `${name}: ${variable} holds a password`);
        if (!/PASSWORD|SECRET|TOKEN|KEK|DATABASE_URL/.test(variable)) continue;
        assert.match(variable, /_FILE$/, `${name}: ${variable} is a literal`);
        assert.ok(secrets.includes(value.replace("/run/secrets/", "")), `${name}: ${variable} is not mounted`);
      }
  });

  it("sets nothing that the configuration of the service does not read", () => {
    for (const [name, { environment }] of Object.entries(ours)) {
      const config = configs[name as keyof typeof configs].map(textOf).join("\n");
      for (const variable of Object.keys(environment)) {
        const read = new RegExp(`^  ${variable.replace(/_FILE$/, "")}: `, "m");
        assert.match(config, read, `${name}: ${variable}`);
        if (variable.endsWith("_FILE"))
          assert.match(config, new RegExp(`([sS]ecret\\(\\w+, |secretNames = .*)"${variable.slice(0, -5)}"`));
      }
    }
  });

  it("starts everything in health order, and can tell the health of everything", () => {
    assert.deepEqual(Object.keys(hub.depends_on), ["postgres", "redis"]);
    for (const { depends_on } of [worker, restore]) assert.deepEqual(Object.keys(depends_on), ["hub"]);
    for (const [name, { build }] of Object.entries(ours))
      assert.ok(stages.get(build.target)?.last.HEALTHCHECK, `${name} has no health check`);
  });
});

describe("Dockerfile", () => {
  for (const [name, { build }] of Object.entries(ours)) {
    const line = lineage(stages, build.target);

    it(`builds the ${name} on an official Node, and runs it as nobody in particular`, () => {
      assert.equal(line.at(-1)?.from, "node:24.18-bookworm-slim");
      assert.equal(line.find(({ last }) => last.USER)?.last.USER, "node");
    });

    it(`keeps the ${name} as small as one machine does`, () => {
      const settings = line.flatMap(({ last }) => last.ENV?.split(" ") ?? []);
      for (const [key, value] of Object.entries(leanProcess)) assert.ok(settings.includes(`${key}=${value}`), key);
    });

    it(`copies all that the ${name} needs at run time`, () => {
      const [, entry = ""] = /^\["node", "(.+)"\]$/.exec(line[0]?.last.CMD ?? "") ?? [];
      assert.ok(existsSync(join(root, entry)), `${entry} is not there`);
      const copied = line.flatMap(({ copies }) => copies.flatMap(({ sources }) => sources));
      const closure = runtimeClosure(root, entry, aliases);
      assert.ok(closure.size > 10);
      for (const file of closure) {
        assert.ok(existsSync(join(root, file)), `${file} is not there`);
        const isCopied = copied.some((source) => file === source || file.startsWith(`${source}/`));
        assert.ok(isCopied, `${file} is not copied`);
        assert.ok(isGenerated(file) || reachesBuilder(dockerignore, file), `${file} is kept away by .dockerignore`);
      }
    });
  }

  it("copies only what is there, from the repository or from an earlier stage", () => {
    const before = new Set<string>();
    for (const [name, { copies }] of stages) {
      for (const { from, sources } of copies)
        for (const source of sources) {
          if (from !== null) assert.ok(before.has(from), `${name} copies from ${from}`);
          if (source === "node_modules") continue;
          assert.ok(existsSync(join(root, source)), `${name} copies ${source}`);
          if (from === null) assert.ok(reachesBuilder(dockerignore, source), `${source} is kept away by .dockerignore`);
        }
      before.add(name);
    }
  });

  it("lets no secret, test or tool reach the builder", () => {
    for (const file of ["secrets/hub_encryption_kek", ".env", "test/journey.spec.ts", "bench/main.ts", ".git/config"])
      assert.equal(reachesBuilder(dockerignore, file), false, file);
  });
});
