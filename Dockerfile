# Builds the daemon and puts it, its JavaScript host and slctl into a small image. ./x builds outside of containers.

FROM docker.io/library/node:22-bookworm-slim AS dashboard
WORKDIR /src
COPY sdk sdk
COPY ui ui
RUN cd sdk/client && npm ci --no-fund --no-audit && cd ../../ui && npm ci --no-fund --no-audit && npm run build

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=dashboard /src/ui/dist ui/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin sld --bin slctl --bin sl-js-host \
    && install -D -t /out target/release/sld target/release/slctl target/release/sl-js-host

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --no-create-home --shell /usr/sbin/nologin sld
COPY --from=build /out/ /usr/bin/
COPY configs/sld.toml /etc/sld/sld.toml
USER sld
ENV SERVICE_LAYER_LISTEN=0.0.0.0:8080 SERVICE_LAYER_CONFIG=/etc/sld/sld.toml
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/sld"]
CMD ["serve"]
