import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { GraphQLError } from "graphql";
import { ApiError } from "../../clients/api/api-error.ts";
import { connectApi } from "../../clients/api/connect.ts";
import { getJob, startBackup } from "../../clients/api/jobs.ts";
import { accepted, RefusedError } from "../../clients/api/refusal.ts";
import { getViewer } from "../../clients/api/sessions.ts";
import { createSource } from "../../clients/api/sources.ts";
import { jobFacts } from "./scripted-job.ts";
import { startSmallHub, token } from "./small-hub.ts";

const viewer = { id: "usr_1", email: "ada@example.com", name: "Ada", platformAdmin: false, memberships: [] };

describe("a query", () => {
  it("brings its data, and the token in the header", async () => {
    let seen: string | null = null;
    await using hub = await startSmallHub({
      Query: {
        viewer: (_parent, _args, context) => {
          seen = context.token;
          return viewer;
        },
      },
    });
    const answer = await connectApi({ url: hub.url, token }).query(getViewer, {});
    assert.deepEqual({ ...answer.viewer }, viewer);
    assert.equal(seen, token);
  });

  it("throws the hub's error by its code, with the reference into its log", async () => {
    await using hub = await startSmallHub({
      Query: {
        viewer: () => {
          throw new GraphQLError("Something went wrong.", { extensions: { code: "INTERNAL", reference: "ref-7" } });
        },
      },
    });
    await assert.rejects(connectApi({ url: hub.url }).query(getViewer, {}), (error) => {
      assert.ok(error instanceof ApiError);
      const { code, message, reference, retryable } = error;
      assert.deepEqual(
        { code, message, reference, retryable },
        { code: "INTERNAL", message: "Something went wrong.", reference: "ref-7", retryable: true },
      );
      return true;
    });
  });

  it("throws UNREACHABLE where nobody listens", async () => {
    const api = connectApi({ url: "http://127.0.0.1:1/graphql" });
    await assert.rejects(api.query(getViewer, {}), { name: "ApiError", code: "UNREACHABLE", retryable: true });
  });

  it("throws BAD_ANSWER where something else than a hub answers", async () => {
    const server = createServer((_request, response) => response.end("<html>"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const api = connectApi({ url: `http://127.0.0.1:${port}/graphql` });
    await assert.rejects(api.query(getViewer, {}), { name: "ApiError", code: "BAD_ANSWER" });
    server.closeAllConnections();
    server.close();
  });

  it("does not take its token to where it is redirected", async () => {
    const paths: (string | undefined)[] = [];
    const server = createServer(({ url }, response) => {
      paths.push(url);
      response.writeHead(307, { location: "/elsewhere" }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const api = connectApi({ url: `http://127.0.0.1:${port}/graphql`, token });
    await assert.rejects(api.query(getViewer, {}), { name: "ApiError" });
    assert.deepEqual(paths, ["/graphql"]);
    server.closeAllConnections();
    server.close();
  });

  it("ends with the reason of its signal", async () => {
    await using hub = await startSmallHub({ Query: { job: () => new Promise(() => {}) } });
    const stop = new AbortController();
    const asked = connectApi({ url: hub.url }).query(getJob, { jobId: "job_1" }, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error("enough")), 50);
    await assert.rejects(asked, /enough/);
  });
});

describe("an answer with refusals", () => {
  it("is its payload where the hub accepted", async () => {
    const job = { ...jobFacts("QUEUED"), source: { id: "src_1", name: "web-1" } };
    await using hub = await startSmallHub({
      Mutation: { startBackup: () => ({ __typename: "StartBackupPayload", job }) },
    });
    const answer = await connectApi({ url: hub.url }).query(startBackup, { input: { sourceId: "src_1" } });
    assert.equal(accepted(answer.startBackup).job.source?.name, "web-1");
  });

  it("throws the refusal by its code, with every fault of the input", async () => {
    const faults = [{ path: "config.host", message: "Name the host." }];
    const refusal = {
      __typename: "InvalidInputError",
      code: "BAD_INPUT",
      message: "config.host: Name the host.",
      faults,
    };
    await using hub = await startSmallHub({ Mutation: { createSource: () => refusal } });
    const input = { tenantId: "ten_1", name: "web-1", type: "SFTP" as const, config: {} };
    const { createSource: answer } = await connectApi({ url: hub.url }).query(createSource, { input });
    assert.throws(
      () => accepted(answer),
      (error) => {
        assert.ok(error instanceof RefusedError);
        const { code, message, faults: found } = error;
        assert.deepEqual({ code, message }, { code: "BAD_INPUT", message: "config.host: Name the host." });
        assert.deepEqual(
          found?.map((fault) => ({ ...fault })),
          faults,
        );
        return true;
      },
    );
  });
});
