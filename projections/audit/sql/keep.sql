-- One batch, part 6: what was found is kept.

-- What each store has of each RG, in the two numbers of `HoldingsStated`, after every change.
CREATE OR REPLACE TEMP TABLE holdings AS
WITH changes AS (
    SELECT rg, store, offset_of(moment) AS "offset", 1 AS sign, weight_of(rg, version) AS weight
    FROM copies WHERE row IS NULL
    UNION ALL
    SELECT rg, store, offset_of(over_at), -1, weight_of(rg, version)
    FROM copies WHERE over_at IS NOT NULL
),
summed AS (
    SELECT rg, store, "offset", sum(sign) AS change, sum(sign * weight) AS change_of_digest
    FROM changes GROUP BY rg, store, "offset"
)
SELECT
    c.rg, c.store, c."offset",
    coalesce(l."count", 0) + sum(change) OVER w AS "count",
    (coalesce(l.digest, 0) + sum(change_of_digest) OVER w) AS digest
FROM summed c LEFT JOIN log.ledgers l ON l.rg = c.rg AND l.store = c.store
WINDOW w AS (PARTITION BY c.rg, c.store ORDER BY c."offset");

INSERT INTO log.statements
SELECT
    s.rg, s."offset", s."timestamp", s."time", s.kind, s.store, s.boot, s.n, s.version,
    s.staged_from, s.answers.epoch, s.answers.round, s."count", s.digest, s.serves.epoch,
    s.serves.round, s.source, s.gone, s.why,
    CASE WHEN s.kind = 'HoldingsStated' THEN
        coalesce(p.version, l.named, 0) <= s.version
    END,
    CASE WHEN s.kind = 'HoldingsStated' THEN
        s."count" = coalesce(h."count", l."count", 0)
        AND digest_number(s.digest) = digest_sum(coalesce(h.digest, l.digest, 0))
    END,
    s.void
FROM statements s
LEFT JOIN log.ledgers l ON l.rg = s.rg AND l.store = s.store
ASOF LEFT JOIN holdings h ON h.rg = s.rg AND h.store = s.store AND s."offset" > h."offset"
ASOF LEFT JOIN put_stores p ON p.rg = s.rg AND p.store = s.store AND s."offset" > p."offset";

INSERT INTO log.items
SELECT
    i.rg, i."offset", i.item, i.kind, i.store, i.version, i.id,
    CASE
        WHEN i.kind = 'import' AND i.id IS NULL THEN 'ABOVE_RG_VERSION'
        WHEN i.kind = 'import' THEN i.import_rule
        WHEN i.kind IN ('erase', 'gone') AND c.dropped_at = i.moment THEN NULL
        WHEN i.kind = 'lose' AND h.loses AND (c.over_at IS NULL OR c.over_at > i.moment) THEN NULL
        WHEN i.kind = 'doom' AND c.doomed_at = i.moment THEN NULL
        WHEN i.kind = 'doom' AND d.rule IS NOT NULL AND b.version = i.version
            AND (b.over_at IS NULL OR b.over_at > i.moment)
            AND b.status <> 'doomed' AND (b.doomed_at IS NULL OR b.doomed_at > i.moment)
            THEN if(p.store IS NULL, 'NOT_ALL_COUNT', 'STORE_IS_PLACED')
        ELSE 'NO_SUCH_COPY'
    END
FROM items i
LEFT JOIN happened h
    ON h.rg = i.rg AND h.moment = i.moment AND h.id = i.id AND h.store = i.store AND h.bare = i.bare
LEFT JOIN copies c
    ON c.rg = h.rg AND c.id = h.id AND c.store = h.store AND c.bare = h.bare AND c.moment = h.begun_at
LEFT JOIN doubts d
    ON d.kind = 'doom' AND d.rg = i.rg AND d."offset" = i."offset" AND d.item = i.item
LEFT JOIN standing s
    ON d.rule IS NOT NULL AND s.rg = i.rg AND s.claim < i."offset"
    AND (s.replaced_at IS NULL OR i."offset" < s.replaced_at)
LEFT JOIN log.placed p ON p.rg = s.rg AND p.claim = s.claim AND p.store = i.store
ASOF LEFT JOIN copies b
    ON b.rg = i.rg AND b.id = i.id AND b.store = i.store AND b.bare = i.bare AND i.moment > b.moment;

CREATE OR REPLACE TEMP TABLE moved_ledgers AS
WITH told AS (
    SELECT rg, store, max(rank) AS rank FROM statements WHERE void IS NULL GROUP BY rg, store
),
held AS (
    SELECT rg, store, arg_max("count", "offset") AS "count", arg_max(digest, "offset") AS digest
    FROM holdings GROUP BY rg, store
),
named AS (
    SELECT rg, store, max(version) AS named FROM put_stores GROUP BY rg, store
),
moved AS (
    FROM told FULL JOIN held USING (rg, store) FULL JOIN named USING (rg, store)
)
SELECT
    m.rg, m.store, coalesce(m.rank, l.rank) AS rank, coalesce(m."count", l."count", 0) AS "count",
    coalesce(m.digest, l.digest, 0) AS digest, coalesce(m.named, l.named, 0) AS named
FROM moved m LEFT JOIN log.ledgers l ON l.rg = m.rg AND l.store = m.store;
DELETE FROM log.ledgers WHERE (rg, store) IN (SELECT (rg, store) FROM moved_ledgers);
INSERT INTO log.ledgers FROM moved_ledgers;

DELETE FROM log.facts WHERE rowid IN (
    SELECT row FROM spans WHERE row IS NOT NULL AND until_offset IS NOT NULL
);
INSERT INTO log.facts
SELECT rg, id, store, version, status, bare, from_offset, until_offset
FROM spans WHERE row IS NULL OR until_offset IS NOT NULL;
