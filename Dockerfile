# The three processes of xVault, an image each: docker build --target hub|worker|restore .

FROM node:24.18-bookworm AS dependencies
WORKDIR /xvault
COPY package.json package-lock.json ./
# The scripts of packages and our own postinstall would want the sources, and the internet; what they do that is needed follows.
RUN npm ci --omit=dev --ignore-scripts
COPY worker/native-crypto.ts worker/native-crypto-check.ts worker/
RUN node worker/native-crypto.ts

FROM dependencies AS database-client
COPY prisma.config.ts ./
COPY prisma/ prisma/
RUN node prisma/generate.ts

FROM node:24.18-bookworm-slim AS runtime
# As in server/one-machine/lean-process.ts, which says why.
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=4 MALLOC_ARENA_MAX=2
WORKDIR /xvault
RUN install -d -o node -g node /var/lib/xvault/backups /var/lib/xvault/temp
COPY --from=dependencies /xvault/node_modules/ node_modules/
COPY package.json ./
USER node

FROM runtime AS hub
COPY --from=database-client /xvault/prisma/ prisma/
# An empty function that names places.
COPY artifact/fault-point.ts artifact/
COPY domain/ domain/
COPY schema/ schema/
COPY server/ server/
COPY clients/hub/ clients/hub/
EXPOSE 8080 8081
HEALTHCHECK CMD ["node", "-e", "fetch('http://127.0.0.1:8080/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "server/main.ts"]

FROM runtime AS worker
USER root
# Dump programs for databases that are reached from here. A newer pg_dump dumps older servers, never the other way: so the newest, from
# PostgreSQL's own archive.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates mariadb-client postgresql-common \
  && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
  && apt-get install -y --no-install-recommends postgresql-client-18 \
  && rm -rf /var/lib/apt/lists/*
USER node
COPY artifact/ artifact/
COPY worker/ worker/
COPY clients/hub/ clients/hub/
# Nobody is served here (WORKER_METRICS_PORT is for Prometheus): what can be seen is whether it can reach its hub.
HEALTHCHECK CMD ["node", "-e", "fetch(process.env.HUB_BASE_URL + '/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "worker/main.ts"]

FROM runtime AS restore
COPY artifact/ artifact/
COPY restore/ restore/
COPY clients/hub/ clients/hub/
EXPOSE 8082
HEALTHCHECK CMD ["node", "-e", "fetch('http://127.0.0.1:8082/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "restore/main.ts"]
