# One image for every process: the first argument names the service (wal-producer, search-indexer, webhook-notifier, cli).
ARG BASE=node:22-bookworm-slim
FROM ${BASE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.base.json ./
COPY libs libs
COPY services services
RUN npm ci --ignore-scripts && npx tsc -b services/cli services/wal-producer services/search-indexer services/webhook-notifier
# What runs: production dependencies without the Node that the lockfile pins for checkouts, and no sources.
RUN npm ci --omit=dev --ignore-scripts \
 && rm -rf node_modules/node-linux-* node_modules/node-darwin-* node_modules/node-bin-* node_modules/node-win-* node_modules/.bin \
           libs/*/src libs/*/test libs/test-kit services/*/src services/*/test services/*/tsconfig*.json libs/*/tsconfig*.json

FROM ${BASE}
ENV NODE_ENV=production NODE_OPTIONS="--enable-source-maps --max-semi-space-size=32"
WORKDIR /app
COPY --from=build /app /app
COPY migrations migrations
COPY deploy/image/entry.mjs entry.mjs
USER 65532:65532
ENTRYPOINT ["node", "/app/entry.mjs"]
