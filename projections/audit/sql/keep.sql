-- One batch, part 6: what was found is kept.

-- What each store got and gave up of each RG, in the two numbers of `HoldingsStated`.
CREATE OR REPLACE TEMP TABLE changes AS
SELECT rg, list, "offset", 1 AS sign, weight FROM puts WHERE is_plain
UNION ALL
SELECT rg, list, next_offset, -1, weight FROM puts WHERE is_plain AND next_offset IS NOT NULL
UNION ALL
SELECT rg, list_of(store), offset_of(moment), 1, weight FROM copies WHERE row IS NULL
UNION ALL
SELECT rg, list_of(store), offset_of(over_at), -1, weight FROM copies WHERE over_at IS NOT NULL;

-- The same as sums: of blocks of the log, and of the places where stores state their holdings.
CREATE OR REPLACE TEMP TABLE blocks AS
SELECT
    c.rg, l.store, c.block, sum(c."count") AS "count", sum(c.digest) AS digest,
    max(c.gained) AS gained
FROM (
    SELECT
        rg, list, block_of("offset") AS block, sum(sign) AS "count", net(sign, weight) AS digest,
        max("offset") FILTER (sign > 0) AS gained
    FROM changes GROUP BY ALL
) c
JOIN kept.listed l USING (list)
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE holdings AS
WITH marks AS (
    SELECT rg, store, "offset", block_of("offset") AS block
    FROM said_statements WHERE kind = 'HoldingsStated'
),
before AS (
    SELECT rg, store, block, sum("count") OVER w AS "count", sum(digest) OVER w AS digest
    FROM blocks WINDOW w AS (PARTITION BY rg, store ORDER BY block)
),
near AS (
    SELECT l.store, c."offset", c.rg, c.sign, c.weight, block_of(c."offset") AS block
    FROM changes c SEMI JOIN marks m ON m.rg = c.rg AND m.block = block_of(c."offset")
    JOIN kept.listed l USING (list)
),
inside AS (
    SELECT m.rg, m.store, m."offset", sum(c.sign) AS "count", net(c.sign, c.weight) AS digest
    FROM near c
    JOIN marks m
        ON m.rg = c.rg AND m.store = c.store AND m.block = c.block AND m."offset" > c."offset"
    GROUP BY m.rg, m.store, m."offset"
)
SELECT
    m.rg, m.store, m."offset",
    coalesce(l."count", 0) + coalesce(b."count", 0) + coalesce(i."count", 0) AS "count",
    coalesce(l.digest, 0) + coalesce(b.digest, 0) + coalesce(i.digest, 0) AS digest
FROM marks m
ASOF LEFT JOIN before b ON b.rg = m.rg AND b.store = m.store AND b.block < m.block
LEFT JOIN inside i ON i.rg = m.rg AND i.store = m.store AND i."offset" = m."offset"
LEFT JOIN kept.ledgers l ON l.rg = m.rg AND l.store = m.store;

-- Holdings stated at a version after which an operation of this batch stands before them.
CREATE OR REPLACE TEMP TABLE late AS
SELECT s.rg, s.store, s."offset", s.version
FROM said_statements s
JOIN (
    SELECT rg, min(version) AS first_version FROM operations GROUP BY rg
) f ON f.rg = s.rg
JOIN operations o
    ON o.rg = s.rg AND o.version = greatest(s.version + 1, f.first_version)
    AND o."offset" < s."offset"
WHERE s.kind = 'HoldingsStated';

CREATE OR REPLACE TEMP TABLE judged AS
SELECT
    s.rg, s."offset",
    coalesce(l.named, 0) <= s.version AND NOT EXISTS (
        FROM late t JOIN put_stores p
            ON p.rg = t.rg AND p.store = t.store AND p.version > t.version
            AND p."offset" < t."offset"
        WHERE t.rg = s.rg AND t."offset" = s."offset"
    ) AS attests,
    s."count" = h."count" AND digest_number(s.digest) = digest_sum(h.digest) AS agrees,
    s.version > coalesce(g.version, 0) OR EXISTS (
        FROM operations o
        WHERE o.rg = s.rg AND o.version = s.version AND o."offset" > s."offset"
    ) AS is_ahead
FROM (FROM said_statements WHERE kind = 'HoldingsStated') s
JOIN holdings h ON h.rg = s.rg AND h.store = s.store AND h."offset" = s."offset"
LEFT JOIN kept.ledgers l ON l.rg = s.rg AND l.store = s.store
LEFT JOIN kept.rgs g ON g.rg = s.rg;

INSERT INTO kept.statements
SELECT
    s.rg, s."offset", s."timestamp", s."time", s.kind, s.store, s.boot, s.n, s.version,
    s.staged_from, s.answers.epoch, s.answers.round, s."count", s.digest, s.serves.epoch,
    s.serves.round, s.source, s.gone, s.why,
    j.attests, j.agrees, j.is_ahead, t.void
FROM said_statements s
JOIN statements t ON t.rg = s.rg AND t."offset" = s."offset"
LEFT JOIN judged j ON j.rg = s.rg AND j."offset" = s."offset";

-- Dooming of copies that are there, and were not doomed since not all placed ones count.
CREATE OR REPLACE TEMP TABLE not_doomed AS
SELECT i.rg, i.moment, if(p.store IS NULL, 'NOT_ALL_COUNT', 'STORE_IS_PLACED') AS rule
FROM items i
JOIN doubts d
    ON d.kind = 'doom' AND d.rg = i.rg AND d."offset" = i."offset" AND d.item = i.item
JOIN standing s
    ON s.rg = i.rg AND s.claim < i."offset"
    AND (s.replaced_at IS NULL OR i."offset" < s.replaced_at)
LEFT JOIN kept.placed p ON p.rg = s.rg AND p.claim = s.claim AND p.store = i.store
JOIN copies c
    ON c.rg = i.rg AND c.id = i.id AND c.store = i.store AND c.bare = i.bare
    AND i.moment > c.moment AND (c.replaced_at IS NULL OR i.moment <= c.replaced_at)
WHERE c.version = i.version AND c.status <> 'doomed'
    AND (c.over_at IS NULL OR c.over_at > i.moment)
    AND (c.doomed_at IS NULL OR c.doomed_at > i.moment);

INSERT INTO kept.item_voids
SELECT * FROM (
    SELECT
        i.rg, i."offset", i.item,
        CASE
            WHEN i.kind = 'import' AND i.id IS NULL THEN 'ABOVE_RG_VERSION'
            WHEN i.kind = 'import' THEN i.import_rule
            WHEN w.moment IS NULL THEN coalesce(n.rule, 'NO_SUCH_COPY')
        END AS void
    FROM items i
    LEFT JOIN worked w ON w.rg = i.rg AND w.moment = i.moment
    LEFT JOIN not_doomed n ON n.rg = i.rg AND n.moment = i.moment
)
WHERE void IS NOT NULL;

CREATE OR REPLACE TEMP TABLE moved_ledgers AS
WITH told AS (
    SELECT rg, store, max(rank) AS rank FROM statements WHERE void IS NULL GROUP BY rg, store
),
held AS (
    SELECT rg, store, sum("count") AS more, sum(digest) AS more_digest, max(gained) AS gained
    FROM blocks GROUP BY rg, store
),
named AS (
    SELECT p.rg, l.store, max(p.named) AS named
    FROM (SELECT rg, list, max(version) AS named FROM puts GROUP BY rg, list) p
    JOIN kept.listed l USING (list)
    GROUP BY p.rg, l.store
),
moved AS (
    FROM told FULL JOIN held USING (rg, store) FULL JOIN named USING (rg, store)
)
SELECT
    m.rg, m.store, coalesce(m.rank, l.rank) AS rank,
    coalesce(l."count", 0) + coalesce(m.more, 0) AS "count",
    coalesce(l.digest, 0) + coalesce(m.more_digest, 0) AS digest,
    coalesce(m.named, l.named, 0) AS named, coalesce(m.gained, l.gained) AS gained
FROM moved m LEFT JOIN kept.ledgers l ON l.rg = m.rg AND l.store = m.store;
DELETE FROM kept.ledgers USING moved_ledgers m WHERE m.rg = ledgers.rg AND m.store = ledgers.store;
INSERT INTO kept.ledgers FROM moved_ledgers;

-- Where one of those that shared its fate until now does so no longer, all are kept by themselves.
CREATE OR REPLACE TEMP TABLE changed_fates AS
SELECT DISTINCT row FROM spans WHERE row IS NOT NULL AND until_offset IS NOT NULL;
DELETE FROM kept.fates WHERE rowid IN (FROM changed_fates);
INSERT INTO kept.fates
SELECT rg, id, list, version, 'held'::copy_status, false, "offset", next_offset
FROM puts WHERE is_plain
UNION ALL
SELECT rg, id, list_of(store), version, status, bare, from_offset, until_offset
FROM spans WHERE row IS NULL OR row IN (FROM changed_fates);

-- What the batch needed most memory for; the next makes its own.
DROP TABLE operations;
DROP VIEW put_stores;
DROP TABLE puts;
DROP TABLE said_items;
DROP TABLE items;
DROP TABLE beginnings;
DROP TABLE happened;
DROP TABLE worked;
DROP TABLE copies;
DROP TABLE spans;
DROP TABLE changes;
