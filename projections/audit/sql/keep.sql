-- One batch, part 6: what was found is kept.

-- What each store got and gave up of each RG, in the two numbers of `HoldingsStated`.
CREATE OR REPLACE TEMP TABLE changes AS
SELECT rg, store, "offset", sum(sign) AS "count", sum(sign * weight_of(rg, version)) AS digest
FROM (
    SELECT rg, store, offset_of(moment) AS "offset", 1 AS sign, version
    FROM copies WHERE row IS NULL
    UNION ALL
    SELECT rg, store, offset_of(over_at), -1, version FROM copies WHERE over_at IS NOT NULL
)
GROUP BY rg, store, "offset";

-- The same as sums, for the stores that state their holdings in this batch.
CREATE OR REPLACE TEMP TABLE holdings AS
SELECT
    c.rg, c.store, c."offset",
    coalesce(l."count", 0) + sum(c."count") OVER w AS "count",
    coalesce(l.digest, 0) + sum(c.digest) OVER w AS digest
FROM changes c LEFT JOIN kept.ledgers l ON l.rg = c.rg AND l.store = c.store
WHERE (c.rg, c.store) IN (SELECT (rg, store) FROM statements WHERE kind = 'HoldingsStated')
WINDOW w AS (PARTITION BY c.rg, c.store ORDER BY c."offset");

CREATE OR REPLACE TEMP TABLE judged AS
SELECT
    s.rg, s."offset",
    coalesce(p.version, l.named, 0) <= s.version AS attests,
    s."count" = coalesce(h."count", l."count", 0)
        AND digest_number(s.digest) = digest_sum(coalesce(h.digest, l.digest, 0)) AS agrees
FROM (FROM statements WHERE kind = 'HoldingsStated') s
LEFT JOIN kept.ledgers l ON l.rg = s.rg AND l.store = s.store
ASOF LEFT JOIN holdings h ON h.rg = s.rg AND h.store = s.store AND s."offset" > h."offset"
ASOF LEFT JOIN put_stores p ON p.rg = s.rg AND p.store = s.store AND s."offset" > p."offset";

INSERT INTO kept.statements
SELECT
    s.rg, s."offset", s."timestamp", s."time", s.kind, s.store, s.boot, s.n, s.version,
    s.staged_from, s.answers.epoch, s.answers.round, s."count", s.digest, s.serves.epoch,
    s.serves.round, s.source, s.gone, s.why,
    j.attests, j.agrees, s.void
FROM statements s LEFT JOIN judged j ON j.rg = s.rg AND j."offset" = s."offset";

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
ASOF JOIN copies c
    ON c.rg = i.rg AND c.id = i.id AND c.store = i.store AND c.bare = i.bare
    AND i.moment > c.moment
WHERE c.version = i.version AND c.status <> 'doomed'
    AND (c.over_at IS NULL OR c.over_at > i.moment)
    AND (c.doomed_at IS NULL OR c.doomed_at > i.moment);

-- What did something: it dropped or doomed a copy, or lost one that was there.
CREATE OR REPLACE TEMP TABLE worked AS
SELECT h.rg, h.moment
FROM happened h
JOIN copies c
    ON c.rg = h.rg AND c.id = h.id AND c.store = h.store AND c.bare = h.bare
    AND c.moment = h.begun_at
WHERE h.item IS NOT NULL AND (
    c.dropped_at = h.moment OR c.doomed_at = h.moment
    OR (h.loses AND (c.over_at IS NULL OR c.over_at > h.moment))
);

INSERT INTO kept.items
SELECT
    i.rg, i."offset", i.item, i.kind, i.store, i.version, i.id,
    CASE
        WHEN i.kind = 'import' AND i.id IS NULL THEN 'ABOVE_RG_VERSION'
        WHEN i.kind = 'import' THEN i.import_rule
        WHEN w.moment IS NULL THEN coalesce(n.rule, 'NO_SUCH_COPY')
    END
FROM items i
LEFT JOIN worked w ON w.rg = i.rg AND w.moment = i.moment
LEFT JOIN not_doomed n ON n.rg = i.rg AND n.moment = i.moment;

CREATE OR REPLACE TEMP TABLE moved_ledgers AS
WITH told AS (
    SELECT rg, store, max(rank) AS rank FROM statements WHERE void IS NULL GROUP BY rg, store
),
held AS (
    SELECT rg, store, sum("count") AS more, sum(digest) AS more_digest
    FROM changes GROUP BY rg, store
),
named AS (
    SELECT rg, store, max(version) AS named FROM put_stores GROUP BY rg, store
),
moved AS (
    FROM told FULL JOIN held USING (rg, store) FULL JOIN named USING (rg, store)
)
SELECT
    m.rg, m.store, coalesce(m.rank, l.rank) AS rank, 
    coalesce(l."count", 0) + coalesce(m.more, 0) AS "count",
    coalesce(l.digest, 0) + coalesce(m.more_digest, 0) AS digest, coalesce(m.named, l.named, 0) AS named
FROM moved m LEFT JOIN kept.ledgers l ON l.rg = m.rg AND l.store = m.store;
DELETE FROM kept.ledgers WHERE (rg, store) IN (SELECT (rg, store) FROM moved_ledgers);
INSERT INTO kept.ledgers FROM moved_ledgers;

DELETE FROM kept.facts WHERE rowid IN (
    SELECT row FROM spans WHERE row IS NOT NULL AND until_offset IS NOT NULL
);
INSERT INTO kept.facts
SELECT rg, id, store, version, status, bare, from_offset, until_offset
FROM spans WHERE row IS NULL OR until_offset IS NOT NULL;
