"""The statements that keep what came; `inbox` says what they are for (Note [Which copy is the first])."""

# One statement is one round trip and one transaction. Its parameters are arrays, so its text is always the same and
# the server plans it once for a connection.
KEEP_ON_POSTGRESQL = """
WITH given AS MATERIALIZED (
    SELECT *
    FROM unnest(
        %s::uuid[], %s::uuid[], %s::bytea[], %s::bytea[], %s::text[], %s::text[], %s::timestamptz[], %s::text[],
        %s::text[], %s::bool[], %s::int4[]
    ) AS given (
        delivery_id, source_id, body_sha256, body, verdict, content_type, received_at, state,
        error, may_be_repeat, repeats
    )
), seen AS (
    INSERT INTO webhooks_seenbody AS known (source_id, body_sha256, delivery_id, accepted_at, duplicate_count)
    SELECT source_id, body_sha256, delivery_id, statement_timestamp(), repeats
    FROM given
    WHERE may_be_repeat
    ORDER BY source_id, body_sha256
    ON CONFLICT (source_id, body_sha256) DO UPDATE SET (delivery_id, accepted_at, duplicate_count) = (
        SELECT
            CASE WHEN is_over THEN EXCLUDED.delivery_id ELSE known.delivery_id END,
            CASE WHEN is_over THEN EXCLUDED.accepted_at ELSE known.accepted_at END,
            EXCLUDED.duplicate_count + CASE WHEN is_over THEN 0 ELSE known.duplicate_count + 1 END
        FROM (
            SELECT known.accepted_at + make_interval(secs => duplicate_window_seconds) <= EXCLUDED.accepted_at AS is_over
            FROM webhooks_webhooksource
            WHERE id = known.source_id
        ) AS source_window
    )
    RETURNING source_id, body_sha256, delivery_id
), repeated AS (
    SELECT given.delivery_id AS proposed_id, seen.delivery_id AS first_id
    FROM given
    JOIN seen USING (source_id, body_sha256)
    WHERE given.may_be_repeat AND seen.delivery_id <> given.delivery_id
), fresh AS (
    SELECT *
    FROM given
    WHERE delivery_id NOT IN (SELECT proposed_id FROM repeated)
), deliveries AS (
    INSERT INTO webhooks_webhookdelivery (id, source_id, received_at, verdict, body, body_sha256, content_type)
    SELECT
        delivery_id, source_id, coalesce(received_at, statement_timestamp()), verdict, body, body_sha256, content_type
    FROM fresh
), items AS (
    INSERT INTO webhooks_inboxitem (delivery_id, source_id, state, due_at, error, attempts)
    SELECT delivery_id, source_id, state, statement_timestamp(), error, 0
    FROM fresh
)
SELECT proposed_id, first_id FROM repeated
"""

# SQLite knows no such statement, but has no round trips either. Times are text, in the spelling of `core.clock`.
REMEMBER_ON_SQLITE = """
INSERT INTO webhooks_seenbody AS known (source_id, body_sha256, delivery_id, accepted_at, duplicate_count)
VALUES (%s, %s, %s, strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now'), %s)
ON CONFLICT (source_id, body_sha256) DO UPDATE SET (delivery_id, accepted_at, duplicate_count) = (
    SELECT
        CASE WHEN is_over THEN EXCLUDED.delivery_id ELSE known.delivery_id END,
        CASE WHEN is_over THEN EXCLUDED.accepted_at ELSE known.accepted_at END,
        EXCLUDED.duplicate_count + CASE WHEN is_over THEN 0 ELSE known.duplicate_count + 1 END
    FROM (
        SELECT strftime('%%Y-%%m-%%d %%H:%%M:%%f000', known.accepted_at, duplicate_window_seconds || ' seconds')
            <= EXCLUDED.accepted_at AS is_over
        FROM webhooks_webhooksource
        WHERE id = known.source_id
    ) AS source_window
)
"""
