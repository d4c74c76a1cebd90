# One image for every process: the first argument names the service (wal-producer, search-indexer, cli).
ARG BASE=node:22-bookworm-slim
FROM ${BASE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY libs libs
COPY services services
COPY tsconfig.base.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund \
 && npx tsc -b services/cli services/wal-producer services/search-indexer \
 && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
 && npm install --no-save --ignore-scripts --no-audit --no-fund "@node-rs/crc32@$(node -p "require('@node-rs/crc32/package.json').version")" \
 && rm -rf libs/*/src libs/*/test services/*/src services/*/test libs/test-kit

FROM ${BASE}
ENV NODE_ENV=production NODE_OPTIONS="--enable-source-maps --max-semi-space-size=32"
WORKDIR /app
COPY --from=build /app /app
COPY migrations migrations
COPY deploy/image/entry.mjs entry.mjs
USER 65532:65532
ENTRYPOINT ["node", "/app/entry.mjs"]
