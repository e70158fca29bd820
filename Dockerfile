# docker build -t pmapgcd . && docker run --rm -i pmapgcd < pairs.csv
# Files are seen where they are mounted: docker run --rm -v "$PWD:/data" -w /data pmapgcd -o gcds.txt pairs.csv
FROM rust:1.91-slim-bookworm AS build
WORKDIR /pmapgcd
COPY Cargo.toml Cargo.lock README.md ./
COPY benches benches
COPY examples examples
COPY include include
COPY src src
COPY tests tests
RUN cargo build --release --locked --bin pmapgcd

FROM debian:bookworm-slim
COPY --from=build /pmapgcd/target/release/pmapgcd /usr/local/bin/pmapgcd
USER nobody
ENTRYPOINT ["pmapgcd"]
