-- One batch, part 3: what became of claims, operations and retirements.

CREATE OR REPLACE TEMP VIEW judged_operations AS
SELECT
    o.*,
    CASE
        WHEN o.claim IS NULL THEN 'FENCED'
        WHEN o.ended_at IS NOT NULL OR o."offset" > q.broken_at THEN 'CLAIM_ENDED'
        WHEN o."offset" = q.broken_at THEN 'OUT_OF_SEQUENCE'
    END AS void
FROM said_operations o LEFT JOIN sequences q ON q.rg = o.rg AND q.claim = o.claim;

INSERT INTO kept.voids SELECT rg, "offset", void FROM judged_operations WHERE void IS NOT NULL;

UPDATE standing SET ended_at = q.broken_at
FROM sequences q
WHERE q.rg = standing.rg AND q.claim = standing.claim AND standing.ended_at IS NULL;

UPDATE kept.claims SET ended_at = s.ended_at
FROM standing s
WHERE s.rg = claims.rg AND s.claim = claims."offset"
    AND claims.ended_at IS NULL AND s.ended_at IS NOT NULL;

INSERT INTO kept.claims
WITH reached AS (
    SELECT s.rg, s.claim, s.ended_at, coalesce(
        max(q.before + q.accepted) FILTER (q.accepted > 0) OVER (
            PARTITION BY s.rg ORDER BY s.claim ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), g.version, 0
    ) AS version
    FROM standing s
    LEFT JOIN sequences q ON q.rg = s.rg AND q.claim = s.claim
    LEFT JOIN kept.rgs g ON g.rg = s.rg
)
SELECT
    c.rg, c."offset", c."timestamp", c."time", c.epoch, c."round", c.store, c.boot,
    c.replicas, c.min_replicas, c.rules, c.next_offset, c.digest,
    r.version, r.ended_at, CASE WHEN c.is_old THEN 'CLAIM_NOT_NEWER' END
FROM new_claims c LEFT JOIN reached r ON r.rg = c.rg AND r.claim = c."offset";

CREATE OR REPLACE TEMP VIEW accepted_operations AS
SELECT rg, "offset", "time", kind, object, version, list FROM judged_operations WHERE void IS NULL;

-- An object's number in its RG is the version of its first operation. Up to `plain_until` it is new,
-- and there are only puts of it, all by the same stores.
CREATE OR REPLACE TEMP TABLE names AS
SELECT
    o.rg, o.object, o.first_offset, coalesce(k.id, o.version) AS id, k.id IS NULL AS is_new,
    if(is_new AND o.has_one_list, o.other_offset, 0) AS plain_until
FROM (
    SELECT
        rg, object, min("offset") AS first_offset, min(version) AS version,
        coalesce(min(list) = max(list), false) AS has_one_list,
        coalesce(min("offset") FILTER (kind <> 'put'), never()) AS other_offset
    FROM accepted_operations GROUP BY rg, object
) o
LEFT JOIN kept.objects k ON k.rg = o.rg AND k.object = o.object;

INSERT INTO kept.objects
SELECT rg, id, first_offset, object FROM names WHERE is_new ORDER BY rg, id;

-- Each with the next one on its object, which is that of the next row once they are in order: a
-- window for each object takes three times as long.
CREATE OR REPLACE TEMP TABLE operations AS
SELECT
    * EXCLUDE (next_rg, next_id, next_row),
    CASE WHEN next_rg = rg AND next_id = id THEN next_row END AS next_offset
FROM (
    SELECT
        *, lead(rg) OVER () AS next_rg, lead(id) OVER () AS next_id, lead("offset") OVER () AS next_row
    FROM (
        SELECT o.* EXCLUDE (object), n.id, n.plain_until
        FROM accepted_operations o JOIN names n ON n.rg = o.rg AND n.object = o.object
        ORDER BY o.rg, n.id, o."offset"
    )
);
DROP VIEW accepted_operations;
DROP VIEW judged_operations;
DROP TABLE said_operations;

CREATE OR REPLACE TEMP TABLE moved_rgs AS
SELECT rg, max(version) AS version FROM operations GROUP BY rg;
DELETE FROM kept.rgs WHERE rg IN (SELECT rg FROM moved_rgs);
INSERT INTO kept.rgs FROM moved_rgs;

-- Rule 4: the first retirement of a store that is said under the standing claim is accepted.
INSERT INTO kept.retirements
WITH said AS (
    SELECT
        r.*, k.store AS retired, b.store AS by_store,
        c.claim IS NOT NULL AND (c.ended_at IS NULL OR r."offset" < c.ended_at) AS stands
    FROM in_StoreRetired r
    JOIN kept.stores k ON k.osd = r.store.osd AND k.incarnation = r.store.incarnation
    JOIN kept.stores b ON b.osd = r.fence.store.osd AND b.incarnation = r.fence.store.incarnation
    LEFT JOIN standing c
        ON c.rg = r.rg AND c.epoch = r.fence.epoch AND c."round" = r.fence.round
        AND c.store = b.store AND c.boot = r.fence.boot
        AND c.claim < r."offset" AND (c.replaced_at IS NULL OR r."offset" < c.replaced_at)
)
SELECT
    rg, "offset", "timestamp", "time", retired, fence.epoch, fence.round, by_store, fence.boot,
    epoch, why,
    CASE
        WHEN NOT stands THEN 'FENCED'
        WHEN row_number() OVER (PARTITION BY rg, retired, stands ORDER BY "offset") > 1
            OR EXISTS (
                FROM kept.retirements e
                WHERE e.rg = said.rg AND e.store = said.retired AND e.void IS NULL
            ) THEN 'STORE_RETIRED'
    END
FROM said;

CREATE OR REPLACE TEMP TABLE retired AS
SELECT rg, store, "offset" FROM kept.retirements WHERE void IS NULL;

INSERT INTO kept.doomings
SELECT
    d.rg, d."offset", d."timestamp", d."time", k.store, d.fence.epoch, d.fence.round, b.store,
    d.fence.boot,
    CASE
        WHEN c.claim IS NULL OR c.ended_at < d."offset" THEN 'FENCED'
    END
FROM in_CopiesDoomed d
JOIN kept.stores k ON k.osd = d.store.osd AND k.incarnation = d.store.incarnation
JOIN kept.stores b ON b.osd = d.fence.store.osd AND b.incarnation = d.fence.store.incarnation
LEFT JOIN standing c
    ON c.rg = d.rg AND c.epoch = d.fence.epoch AND c."round" = d.fence.round
    AND c.store = b.store AND c.boot = d.fence.boot
    AND c.claim < d."offset" AND (c.replaced_at IS NULL OR d."offset" < c.replaced_at);

-- Every item that an event lists, whatever becomes of it. `at` orders items in an RG.
CREATE OR REPLACE TEMP TABLE said_items AS
WITH said AS (
    SELECT rg, "offset", 'doom' AS kind, store, versions FROM in_CopiesDoomed
    UNION ALL SELECT rg, "offset", 'import', store, versions FROM in_ObjectsImported
    UNION ALL SELECT rg, "offset", 'erase', store, versions FROM in_CopiesErased
    UNION ALL SELECT rg, "offset", if(gone, 'gone', 'lose'), store, versions FROM in_CopiesLost
),
items AS (
    SELECT
        rg, "offset", kind, store, unnest(versions) AS version,
        generate_subscripts(versions, 1) AS item
    FROM said
),
-- Operations before the batch that items are about, and what came next on their objects.
old_ones AS (
    SELECT o.rg, o.id FROM kept.operations o SEMI JOIN items i ON i.rg = o.rg AND i.version = o.version
),
old_operations AS (
    SELECT
        o.rg, o.version, o.id, o."offset", o.kind,
        lead(o."offset") OVER (PARTITION BY o.rg, o.id ORDER BY o."offset") AS next_offset
    FROM kept.operations o SEMI JOIN old_ones m ON m.rg = o.rg AND m.id = o.id
),
meant AS (
    SELECT rg, version, id, "offset", kind, next_offset FROM operations
    UNION ALL
    SELECT o.rg, o.version, o.id, o."offset", o.kind, coalesce(o.next_offset, n.first_offset)
    FROM old_operations o LEFT JOIN names n ON n.rg = o.rg AND n.id = o.id
)
SELECT
    i.rg, i."offset", i.kind, i.item, i.version, k.store,
    at_item(i."offset", i.item) AS moment,
    m.id,
    m.next_offset IS NULL OR m.next_offset > i."offset" AS is_current,
    m.kind = 'put' AND is_current AS is_live,
    m.next_offset
FROM items i
JOIN kept.stores k ON k.osd = i.store.osd AND k.incarnation = i.store.incarnation
LEFT JOIN meant m ON m.rg = i.rg AND m.version = i.version AND m."offset" < i."offset";

-- Deletes apart from puts: who asks about deletes need not read much else.
INSERT INTO kept.operations
SELECT rg, "offset", moment("time"), kind, id, version FROM operations WHERE kind = 'put'
UNION ALL
SELECT rg, "offset", moment("time"), kind, id, version FROM operations WHERE kind <> 'put';

-- Puts of which each store's copy has the same fate: the next put by the same stores replaces all,
-- or nothing follows, and nobody said anything of a copy before.
CREATE OR REPLACE TEMP TABLE puts AS
SELECT
    o.rg, o.id, o."offset", o.next_offset, o.version, o.list, weight_of(o.rg, o.version) AS weight,
    coalesce(o.next_offset, never() - 1) < o.plain_until
        AND (i.version IS NULL OR o.version < i.version)
        AND o.rg NOT IN (SELECT rg FROM retired) AS is_plain
FROM operations o
LEFT JOIN (
    SELECT rg, id, min(version) AS version FROM said_items WHERE id IS NOT NULL GROUP BY rg, id
) i ON i.rg = o.rg AND i.id = o.id
WHERE o.kind = 'put';

CREATE OR REPLACE TEMP VIEW put_stores AS
SELECT p.* EXCLUDE (list), l.store
FROM puts p JOIN kept.listed l USING (list)
ANTI JOIN retired r ON r.rg = p.rg AND r.store = l.store AND r."offset" < p."offset";

CREATE OR REPLACE TEMP TABLE said_statements AS
WITH said AS (
    SELECT 'HoldingsStated' AS kind, * FROM in_HoldingsStated
    UNION ALL BY NAME SELECT 'ObjectsImported' AS kind, * EXCLUDE (versions) FROM in_ObjectsImported
    UNION ALL BY NAME SELECT 'CopiesErased' AS kind, * EXCLUDE (versions) FROM in_CopiesErased
    UNION ALL BY NAME SELECT 'CopiesLost' AS kind, * EXCLUDE (versions) FROM in_CopiesLost
    UNION ALL BY NAME SELECT 'ExportClosed' AS kind, * FROM in_ExportClosed
)
SELECT
    said.* EXCLUDE (store, source), k.store, f.store AS source,
    rank_of_statement(said.boot, said.n) AS rank
FROM said
JOIN kept.stores k ON k.osd = said.store.osd AND k.incarnation = said.store.incarnation
LEFT JOIN kept.stores f ON f.osd = said.source.osd AND f.incarnation = said.source.incarnation;

-- Facts as they stood before the batch, of all objects that it may change.
CREATE OR REPLACE TEMP TABLE old_facts AS
WITH present AS (
    SELECT f.rowid AS row, f.* FROM kept.fates f WHERE f.until_offset IS NULL
),
objects AS (
    SELECT rg, id FROM names WHERE NOT is_new
    UNION
    SELECT rg, id FROM said_items WHERE id IS NOT NULL
),
lists AS (
    SELECT rg, list FROM retired JOIN kept.listed USING (store)
    UNION
    SELECT s.rg, l.list
    FROM said_statements s JOIN kept.listed l USING (store) WHERE s.kind = 'ExportClosed'
)
SELECT p.* EXCLUDE (list), l.store
FROM (
    FROM present p SEMI JOIN objects o ON o.rg = p.rg AND o.id = p.id
    UNION
    FROM present p SEMI JOIN lists s ON s.rg = p.rg AND s.list = p.list
) p
JOIN kept.listed l USING (list);

-- What the facts themselves decide; at first it is taken as it should be. See doubts.sql.
CREATE OR REPLACE TEMP TABLE doubts (
    kind VARCHAR, rg INTEGER, "offset" BIGINT, item INTEGER, rule VARCHAR
);
