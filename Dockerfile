# The source for Airbyte. The tap is in it, too: docker run --entrypoint tap-lexer-activity …
FROM python:3.13-slim-bookworm AS build
WORKDIR /build
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY tap_lexer_activity tap_lexer_activity
# (An environment without pip: nothing is installed into it later.)
RUN python -m venv --without-pip /opt/lexer \
    && pip --python /opt/lexer/bin/python install --no-cache-dir --constraint constraints.txt .

FROM python:3.13-slim-bookworm
ARG VERSION=dev
LABEL io.airbyte.name="source-lexer-activity" \
      io.airbyte.version="$VERSION" \
      org.opencontainers.image.licenses="Apache-2.0"
# Airbyte runs sources as the user 1000.
RUN useradd --uid 1000 --create-home --home-dir /airbyte airbyte
COPY --from=build /opt/lexer /opt/lexer
ENV PATH="/opt/lexer/bin:$PATH" \
    AIRBYTE_ENTRYPOINT="source-lexer-activity"
WORKDIR /airbyte
USER 1000
ENTRYPOINT ["source-lexer-activity"]
