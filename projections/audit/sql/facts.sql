-- One batch, part 4: statements, and what became of every copy, as far as `doubts` knows.
--
-- A copy begins where a put or an import makes it, or with the batch. What then happens to it is
-- the first of what can: it is dropped, doomed, lost.

-- Rule 3: a statement is accepted iff its (boot, n) exceeds that of every accepted one before.
CREATE OR REPLACE TEMP TABLE statements AS
WITH ordered AS (
    SELECT
        s.rg, s.store, s."offset", s.rank, d.rule,
        max(s.rank) FILTER (d.rule IS NULL) OVER (
            PARTITION BY s.rg, s.store ORDER BY s."offset"
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS newest
    FROM said_statements s
    LEFT JOIN doubts d ON d.kind = 'close' AND d.rg = s.rg AND d."offset" = s."offset"
)
SELECT
    s.rg, s.store, s."offset", s.rank,
    CASE
        WHEN r."offset" < s."offset" THEN 'STORE_RETIRED'
        WHEN s.rank <= greatest(l.rank, s.newest) THEN 'STATEMENT_NOT_NEWER'
        ELSE s.rule
    END AS void
FROM ordered s
LEFT JOIN retired r ON r.rg = s.rg AND r.store = s.store
LEFT JOIN kept.ledgers l ON l.rg = s.rg AND l.store = s.store;

CREATE OR REPLACE TEMP TABLE items AS
SELECT
    i.*,
    if(f.rule IS NULL, 0, i.version) AS bare,
    v.rule AS import_rule
FROM said_items i
LEFT JOIN doubts f
    ON f.kind = 'forgotten' AND f.rg = i.rg AND f."offset" = i."offset" AND f.item = i.item
LEFT JOIN doubts v
    ON v.kind = 'import' AND v.rg = i.rg AND v."offset" = i."offset" AND v.item = i.item
SEMI JOIN (
    SELECT rg, "offset" FROM statements WHERE void IS NULL
    UNION ALL
    SELECT d.rg, d."offset"
    FROM kept.doomings d JOIN in_CopiesDoomed b ON b.rg = d.rg AND b."offset" = d."offset"
    WHERE d.void IS NULL
) a ON a.rg = i.rg AND a."offset" = i."offset";

-- Every operation on an object dooms the copies that are there and that it does not make anew. What
-- replaces a copy is the next row once they are in order. `copy` is its number in the batch.
CREATE OR REPLACE TEMP TABLE beginnings AS
SELECT
    * EXCLUDE (next_rg, next_id, next_store, next_bare, next_moment), row_number() OVER () AS copy,
    CASE
        WHEN next_rg = rg AND next_id = id AND next_store = store AND next_bare = bare
        THEN next_moment
    END AS replaced_at
FROM (
    SELECT
        *, lead(rg) OVER () AS next_rg, lead(id) OVER () AS next_id,
        lead(store) OVER () AS next_store, lead(bare) OVER () AS next_bare,
        lead(moment) OVER () AS next_moment
    FROM (
        SELECT
            f.rg, f.id, f.store, if(f.bare, f.version, 0) AS bare,
            at_item(f.from_offset, 1023) AS moment, f.version, f.status, f.row,
            weight_of(f.rg, f.version) AS weight,
            if(f.bare, NULL, at_item(n.first_offset, 0)) AS outdated_at
        FROM old_facts f LEFT JOIN names n ON n.rg = f.rg AND n.id = f.id
        UNION ALL
        SELECT
            rg, id, store, 0, at_item("offset", 0), version, 'held'::copy_status, NULL, weight,
            at_item(next_offset, 0)
        FROM put_stores WHERE NOT is_plain
        UNION ALL
        SELECT
            rg, id, store, bare, moment, version,
            if(is_live AND bare = 0, 'held', 'doomed')::copy_status, NULL, weight_of(rg, version),
            if(bare = 0, at_item(next_offset, 0), NULL)
        FROM items
        WHERE kind = 'import' AND id IS NOT NULL AND import_rule IS NULL
        ORDER BY rg, id, store, bare, moment
    )
);

-- What else may end or change a copy: items, retirements.
CREATE OR REPLACE TEMP TABLE happened AS
WITH happenings AS (
    SELECT DISTINCT
        b.rg, b.id, b.store, b.bare, at_item(r."offset", 0) AS moment, 'retire' AS kind,
        0 AS version, NULL::INTEGER AS item
    FROM beginnings b JOIN retired r ON r.rg = b.rg AND r.store = b.store
    UNION ALL
    SELECT i.rg, i.id, i.store, i.bare, i.moment, i.kind, i.version, i.item
    FROM items i
    LEFT JOIN doubts d
        ON d.kind = 'doom' AND d.rg = i.rg AND d."offset" = i."offset" AND d.item = i.item
    WHERE i.id IS NOT NULL AND i.kind <> 'import' AND d.rule IS NULL
)
SELECT
    h.*, b.copy, h.version = b.version AND h.bare = 0 AS names_copy,
    h.kind = 'retire' OR (h.kind = 'erase' AND h.version >= b.version)
        OR (h.kind = 'gone' AND h.version = b.version) AS drops,
    h.kind = 'doom' AND h.version = b.version AS dooms,
    h.kind = 'lose' AND names_copy AS loses
FROM happenings h
JOIN beginnings b
    ON b.rg = h.rg AND b.id = h.id AND b.store = h.store AND b.bare = h.bare
    AND h.moment > b.moment AND (b.replaced_at IS NULL OR h.moment <= b.replaced_at);

CREATE OR REPLACE TEMP TABLE copies AS
WITH fates AS (
    SELECT
        copy,
        min(moment) FILTER (drops) AS dropped_at,
        min(moment) FILTER (dooms) AS doomed_at,
        min(moment) FILTER (loses) AS lost_at
    FROM happened
    WHERE drops OR dooms OR loses
    GROUP BY copy
)
SELECT
    b.*, f.dropped_at,
    least(f.dropped_at, b.replaced_at) AS over_at,
    least(f.doomed_at, b.outdated_at) AS may_go_at,
    CASE
        WHEN b.status <> 'doomed' AND may_go_at < coalesce(over_at, may_go_at + 1)
        THEN may_go_at
    END AS doomed_at,
    CASE
        WHEN b.status = 'held' AND f.lost_at < coalesce(least(may_go_at, over_at), f.lost_at + 1)
        THEN f.lost_at
    END AS lost_at
FROM beginnings b LEFT JOIN fates f ON f.copy = b.copy;

-- What did something: it dropped or doomed a copy, or lost one that was there.
CREATE OR REPLACE TEMP TABLE worked AS
SELECT h.rg, h.moment, h.names_copy
FROM happened h JOIN copies c ON c.copy = h.copy
WHERE h.item IS NOT NULL AND (
    c.dropped_at = h.moment OR c.doomed_at = h.moment
    OR (h.loses AND (c.over_at IS NULL OR c.over_at > h.moment))
);

-- Every copy in pieces of one status each, in whole events.
CREATE OR REPLACE TEMP TABLE spans AS
SELECT rg, id, store, version, status, bare > 0 AS bare, from_offset, until_offset, row
FROM (
    SELECT
        rg, id, store, bare, version, status, offset_of(moment) AS from_offset,
        offset_of(least(lost_at, doomed_at, over_at)) AS until_offset, row
    FROM copies
    UNION ALL
    SELECT
        rg, id, store, bare, version, 'lost'::copy_status, offset_of(lost_at),
        offset_of(least(doomed_at, over_at)), NULL
    FROM copies WHERE lost_at IS NOT NULL
    UNION ALL
    SELECT rg, id, store, bare, version, 'doomed'::copy_status, offset_of(doomed_at), offset_of(over_at), NULL
    FROM copies WHERE doomed_at IS NOT NULL
)
WHERE until_offset IS NULL OR until_offset > from_offset;
