// GraphiQL as one page without any address outside of this hub.
import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { renderGraphiQL } from "@graphql-yoga/render-graphiql";

const firstQuery = `# Sign in first, and put the token into the Headers tab below:
#   { "Authorization": "Bearer …" }
#
# mutation { signIn(input: { email: "…", password: "…" }) {
#   ... on SignInPayload { accessToken expiresAt }
#   ... on Failure { message }
# } }

query Overview {
  viewer {
    email
    memberships { role tenant { id name sources { totalCount nodes { id name type } } } }
  }
}
`;

/** A handler that answers with the page, packed once. The page carries no data of anybody's. */
export function createGraphiql(
  endpoint: string,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let packed: Promise<Buffer> | null = null;
  return async (request, response) => {
    packed ??= promisify(gzip)(
      renderGraphiQL({
        endpoint,
        title: "xVault GraphiQL",
        defaultQuery: firstQuery,
        headers: '{ "Authorization": "Bearer " }',
        subscriptionsProtocol: "SSE",
        credentials: "omit",
      } as Parameters<typeof renderGraphiQL>[0]),
    );
    if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) {
      response.writeHead(406, { "content-type": "text/plain" }).end("This page is sent gzip-encoded only.\n");
      return;
    }
    response.writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "content-encoding": "gzip",
      "cache-control": "no-cache",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      vary: "accept-encoding",
    });
    response.end(await packed);
  };
}
