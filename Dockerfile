# The image holds the program `vitrine` and the libraries it needs, and runs it unprivileged:
#
#   docker run -p 8080:8080 -v vitrine:/data -e VITRINE_ORIGIN=NAME -e VITRINE_KEY=/data/log.key IMAGE
FROM debian:trixie-slim AS build
WORKDIR /src
# The packages first: they change less often than the source.
COPY script/bootstrap script/bootstrap
RUN script/bootstrap --server
COPY . .
RUN cmake --preset release && \
    cmake --build --preset release && \
    cmake --install build/release --strip --prefix /stage

FROM debian:trixie-slim
RUN apt-get update -q && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ca-certificates libcurl4t64 libexpat1 libjansson4 \
        libmicrohttpd12t64 libsqlite3-0 libssl3t64 zlib1g && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log && \
    useradd --system --no-create-home --home-dir /data --shell /usr/sbin/nologin vitrine && \
    install -d -o vitrine -g vitrine -m 0750 /data
COPY --from=build /stage/bin/vitrine /usr/local/bin/vitrine
USER vitrine
VOLUME /data
ENV VITRINE_DATA=/data VITRINE_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK CMD ["vitrine", "health"]
ENTRYPOINT ["vitrine"]
CMD ["serve"]
