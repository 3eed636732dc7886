// PostGraphile as those who use it in production set it up: relations from foreign keys, no watching, requests as a role.
import { createServer } from "node:http";
import jwt from "jsonwebtoken";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const { DATABASE_URL, JWT_SECRET, MAX_CONNECTIONS, ROW_SECURITY } = process.env;

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      connectionString: DATABASE_URL,
      poolConfig: { max: Number(MAX_CONNECTIONS) },
      schemas: ["public"],
    }),
  ],
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  grafast: {
    explain: false,
    context(request) {
      const token = request.node?.req.headers.authorization?.slice("Bearer ".length) ?? "";
      const { sub, tenants } = jwt.verify(token, JWT_SECRET, { algorithms: ["HS256"] });
      if (ROW_SECURITY !== "on") return {};
      const settings = { "xvault.tenants": tenants.join(","), "xvault.user": sub, "xvault.sources": "" };
      return { pgSettings: { role: "xvault_tenant", ...settings } };
    },
  },
});
const server = createServer();
server.on("error", () => process.exit(1));
await instance.createServ(grafserv).addTo(server);
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("disconnect", () => process.exit());
