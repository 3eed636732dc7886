import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startSmallHub } from "./small-hub.ts";
import { makeHome } from "./xvault.ts";

const createdAt = "2026-03-01T12:00:00.000Z";
const sourceFacts = { config: { host: "web-1" }, status: "ACTIVE", createdAt };

const sources = [
  {
    ...sourceFacts,
    id: "src_1",
    name: "web-1",
    type: "SFTP",
    hostKey: "SHA256:abc",
    snapshots: {
      nodes: [
        { id: "snp_2", status: "DELETED", createdAt: "2026-03-02T12:00:00.000Z" },
        { id: "snp_1", status: "COMPLETED", createdAt },
      ],
    },
  },
  {
    ...sourceFacts,
    id: "src_2",
    name: "new\x1b[31m one",
    type: "SFTP",
    hostKey: null,
    status: "DISABLED",
    snapshots: { nodes: [] },
  },
  { ...sourceFacts, id: "src_3", name: "shop", type: "MYSQL", hostKey: null, snapshots: { nodes: [] } },
];

const tenant = { id: "ten_1", name: "Ada's", status: "ACTIVE", createdAt };
const lastPage = { hasNextPage: false, endCursor: null };

/** One source to a page, so that paging is part of the game. */
function page(nodes: readonly object[], after: unknown): object {
  const at = after == null ? 0 : Number(after);
  const pageInfo = { hasNextPage: at + 1 < nodes.length, endCursor: String(at + 1), hasPreviousPage: false };
  return { nodes: nodes.slice(at, at + 1), pageInfo };
}

const snapshots = [
  {
    id: "snp_1",
    status: "COMPLETED",
    createdAt,
    plainBytes: "82900000",
    storedBytes: "31000000",
    fileCount: 2310,
    durationMs: 12_000,
    partial: true,
    pinned: false,
    verifiedAt: null,
    storage: "LOCAL_FS",
    localPath: "tenants/ten_1",
    artifactSha256: "00",
    keyFingerprint: "sha256:00",
    job: { id: "job_1", source: { id: "src_1", name: "web-1" } },
  },
];

function hubOfAda() {
  return startSmallHub({
    Query: {
      tenants: () => ({ nodes: [tenant], pageInfo: lastPage }),
      tenant: () => ({
        sources: ({ after }: { after?: string }) => page(sources, after),
        snapshots: { nodes: snapshots, pageInfo: lastPage },
      }),
      source: (_parent, { id }) =>
        id === "src_1" ? { id, snapshots: { nodes: snapshots, pageInfo: lastPage } } : null,
    },
  });
}

describe("xvault sources", () => {
  it("lists every source with its host key's state and its last good snapshot", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    await home.keepSession(hub.url);
    const { exitCode, stdout, stderr } = await home.xvault(["sources"]);
    assert.deepEqual([exitCode, stderr], [0, ""]);
    assert.deepEqual(stdout.split("\n"), [
      "ID     NAME                     TYPE   HOST KEY        LAST SNAPSHOT",
      "src_1  web-1                    SFTP   pinned          2026-03-01 12:00Z",
      "src_2  new�[31m one (disabled)  SFTP   not tested yet  none",
      "src_3  shop                     MYSQL  none needed     none",
      "",
    ]);
  });

  it("lists them as JSON", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    await home.keepSession(hub.url);
    const { exitCode, stdout } = await home.xvault(["sources", "--json"]);
    const listed = JSON.parse(stdout);
    assert.equal(exitCode, 0);
    assert.deepEqual(
      listed.map((source: { id: string; lastSnapshot: { id: string } | null }) => [source.id, source.lastSnapshot?.id]),
      [
        ["src_1", "snp_1"],
        ["src_2", undefined],
        ["src_3", undefined],
      ],
    );
    assert.equal(listed[0].hostKey, "SHA256:abc");
  });
});

describe("xvault snapshots", () => {
  const lines = [
    "ID     SOURCE  MADE               STATUS                    FILES  SIZE     STORED",
    "snp_1  web-1   2026-03-01 12:00Z  completed, with warnings  2,310  82.9 MB  31.0 MB",
    "",
  ];

  it("lists all of them, or those of one source", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    await home.keepSession(hub.url);
    for (const args of [["snapshots"], ["snapshots", "--source", "src_1"]]) {
      const { exitCode, stdout } = await home.xvault(args);
      assert.deepEqual([exitCode, stdout.split("\n")], [0, lines]);
    }
  });

  it("ends with 1 for a source that is unknown", async () => {
    await using hub = await hubOfAda();
    await using home = await makeHome();
    await home.keepSession(hub.url);
    const outcome = await home.xvault(["snapshots", "--source", "src_9"]);
    const stderr = "There is no source of yours with the id src_9.\n";
    assert.deepEqual(outcome, { exitCode: 1, stdout: "", stderr });
  });
});
