# The image holds the program `vitrine` and the libraries it needs, and runs it unprivileged. A log is made once, its key in another
# volume than its folder, so that one is not lost with the other:
#
#   docker run --rm -v vitrine:/data -v vitrine-keys:/keys -v "$PWD/centre.pem.pub:/centre.pem.pub:ro" IMAGE \
#       init --origin NAME --new-key /keys/log.pem --centre /centre.pem.pub
#
# and run from then on. Started without its volume it says so and ends; it never begins a second history:
#
#   docker run -p 8080:8080 -v vitrine:/data -v vitrine-keys:/keys -v "$PWD/centre.pem.pub:/centre.pem.pub:ro" IMAGE \
#       serve --origin NAME --key /keys/log.pem --centre /centre.pem.pub
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
    install -d -o vitrine -g vitrine -m 0750 /data /keys
COPY --from=build /stage/bin/vitrine /usr/local/bin/vitrine
USER vitrine
VOLUME /data /keys
ENV VITRINE_DATA=/data VITRINE_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK CMD ["vitrine", "health"]
ENTRYPOINT ["vitrine"]
CMD ["serve"]
