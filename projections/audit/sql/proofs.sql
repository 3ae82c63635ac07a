-- What proofs of deletion, and of an empty store, are made of; views that people ask as well.

-- What a store says of its disk holds until it attests to something else than the log says.
CREATE VIEW kept.clean AS
SELECT s.rg, s.store, s.version, s."offset", s."time"
FROM kept.statements s
LEFT JOIN (
    SELECT rg, store, max("offset") AS "offset" FROM kept.statements
    WHERE void IS NULL AND attests AND NOT agrees GROUP BY rg, store
) d USING (rg, store)
WHERE s.void IS NULL AND s.attests AND s.agrees AND NOT s.is_ahead AND s.staged_from IS NULL
    AND (d."offset" IS NULL OR d."offset" < s."offset");
COMMENT ON VIEW kept.clean IS
'Holdings as the log has them, with nothing staged; and of nothing that was yet to be said.';

-- A primary names the epoch in which the map retired the store. Where the map was restored from a copy
-- and then bumped, it may have been one of the map that was lost.
CREATE VIEW kept.unfounded AS
WITH bumped AS (
    SELECT max(from_epoch) AS last FROM (
        SELECT from_epoch, lag(from_epoch) OVER (ORDER BY from_epoch) AS before FROM kept.maps
    ) WHERE from_epoch > before + 1
)
SELECT r.rg, r."offset", k.osd, k.name AS store, r.map_epoch AS epoch, g.epoch AS by_map,
    b.name AS said_by
FROM kept.retirements r
CROSS JOIN bumped m
JOIN kept.stores k ON k.store = r.store
JOIN kept.stores b ON b.store = r.by_store
LEFT JOIN kept.retired_stores g ON g.osd = k.osd AND g.incarnation = k.incarnation
WHERE r.void IS NULL AND r.map_epoch IS DISTINCT FROM g.epoch
    AND (g.epoch IS NULL OR r.map_epoch >= coalesce(m.last, 0))
    AND EXISTS (FROM kept.maps)
    AND NOT EXISTS (FROM kept.positions WHERE topic = 'map' AND why IS NOT NULL);
COMMENT ON VIEW kept.unfounded IS
'Accepted retirements in RGs of stores that the map has not retired, or in another epoch: by_map.';

-- What each store that was ever placed, or had a copy, can be believed to have of an RG.
CREATE VIEW standings AS
WITH placings AS (
    SELECT p.rg, p.store, max(p.claim) AS last_claim,
        max(coalesce(c.last_version, 9223372036854775807)) AS placed_until
    FROM kept.placed p
    JOIN (
        SELECT rg, "offset" AS claim,
            lead(version) OVER (PARTITION BY rg ORDER BY "offset") AS last_version
        FROM kept.claims WHERE void IS NULL
    ) c USING (rg, claim)
    GROUP BY p.rg, p.store
),
said AS (
    SELECT rg, store,
        max("offset") FILTER (kind = 'ExportClosed') AS closed_at,
        max("offset") FILTER (
            kind = 'HoldingsStated'
            AND NOT (attests AND agrees AND staged_from IS NULL AND "count" = 0)
        ) AS filled_at
    FROM kept.statements WHERE void IS NULL AND kind IN ('ExportClosed', 'HoldingsStated')
    GROUP BY rg, store
),
clean AS (SELECT rg, store, max(version) AS version FROM kept.clean GROUP BY rg, store)
SELECT
    p.rg, p.store, p.placed_until, e.version AS clean_version, r."offset" AS retired_at,
    s.closed_at > greatest(p.last_claim, l.gained, s.filled_at) AS is_closed,
    CASE WHEN is_closed THEN s.closed_at END AS closed_at
FROM placings p
LEFT JOIN said s USING (rg, store)
LEFT JOIN clean e USING (rg, store)
LEFT JOIN kept.ledgers l USING (rg, store)
LEFT JOIN (
    FROM kept.retirements t
    WHERE t.void IS NULL
        AND NOT EXISTS (FROM kept.unfounded u WHERE u.rg = t.rg AND u."offset" = t."offset")
) r USING (rg, store);
COMMENT ON VIEW standings IS
'For proofs: each store that a claim ever placed, and up to which version of the RG the last did;
up to which version it has stated its holdings with nothing staged, and not denied it since; whether
and where it had closed, with no later claim that places it, no copy and no holdings since; whether
it is retired, by the map too.';

-- Where the map cannot be read to its end, nobody knows who came later.
CREATE VIEW kept.strangers AS
SELECT s.rg, k.osd, k.name AS store, s.boot, count(*) AS statements, min(s."offset") AS "offset"
FROM kept.statements s JOIN kept.stores k ON k.store = s.store
WHERE s.void IS NULL
    AND NOT EXISTS (
        FROM kept.osds o
        WHERE o.osd = k.osd AND o.osd_incarnation = k.incarnation AND o.boot = s.boot
    )
    AND EXISTS (FROM kept.maps)
    AND NOT EXISTS (FROM kept.positions WHERE topic = 'map' AND why IS NOT NULL)
GROUP BY ALL;
COMMENT ON VIEW kept.strangers IS
'Accepted statements of processes that the map never had: by RG and process, and where they began.';

-- One pipeline that begins with the deletes, so that who asks about few of them waits for few.
CREATE VIEW deletions AS
WITH said AS (
    SELECT rg, "offset", object, actor, request FROM said.ObjectDeleted
    UNION ALL
    SELECT rg, "offset", object, actor, NULL FROM said.ObjectDeclaredLost
),
deleted AS (
    SELECT d.rg, d.id, d.version, d."offset", d."time", d.kind, s.object, s.actor, s.request
    FROM kept.operations d JOIN said s ON s.rg = d.rg AND s."offset" = d."offset"
    WHERE d.kind <> 'put'
),
-- Each delete by itself, and with each copy that was then there: none is held any more.
holders AS (
    SELECT *, NULL AS store, NULL AS is_left, NULL AS is_retired, NULL AS gone_at FROM deleted
    UNION ALL
    SELECT d.*, s.name, f.until_offset IS NULL OR u."offset" IS NOT NULL, r."offset" IS NOT NULL,
        f.until_offset
    FROM deleted d
    JOIN kept.facts f
        ON f.rg = d.rg AND f.id = d.id AND f.version <= d.version AND f.status <> 'held'
        AND (f.until_offset IS NULL OR f.until_offset > d."offset")
    JOIN kept.stores s ON s.store = f.store
    LEFT JOIN kept.retirements r
        ON r.rg = f.rg AND r.store = f.store AND r."offset" = f.until_offset AND r.void IS NULL
    LEFT JOIN kept.unfounded u ON u.rg = r.rg AND u."offset" = r."offset"
),
-- In groups by what people ask for, so that only what they ask for is grouped.
held AS (
    SELECT
        rg, version, object, "time", any_value("offset") AS "offset", any_value(kind) AS kind,
        any_value(id) AS id, any_value(actor) AS actor, any_value(request) AS request,
        coalesce(list_sort(list_distinct(list(store) FILTER (store IS NOT NULL))), [])
            AS stores_then,
        coalesce(list_sort(list_distinct(list(store) FILTER (is_left))), []) AS outstanding,
        coalesce(list(store) FILTER (is_retired AND NOT is_left), []) AS retired_with_copy,
        max(gone_at) AS gone_at
    FROM holders GROUP BY rg, version, object, "time"
),
answered AS (
    SELECT t.rg, list({
        'name': s.name,
        'placed_until': t.placed_until,
        'up_to': CASE WHEN t.is_closed THEN 9223372036854775807 ELSE coalesce(t.clean_version, -1) END,
        'is_retired': t.retired_at IS NOT NULL
    } ORDER BY s.name) AS stores
    FROM standings t JOIN kept.stores s ON s.store = t.store GROUP BY t.rg
),
proved AS (
    SELECT h.*, coalesce(list_filter(
        t.stores, lambda s: s.placed_until >= h.id AND s.up_to < h.version
    ), []) AS unsaid
    FROM held h LEFT JOIN answered t ON t.rg = h.rg
),
waited AS (
    SELECT *,
        list_transform(list_filter(unsaid, lambda s: NOT s.is_retired), lambda s: s.name) AS silent,
        list_sort(list_distinct(retired_with_copy || list_transform(
            list_filter(unsaid, lambda s: s.is_retired), lambda s: s.name
        ))) AS retired
    FROM proved
)
SELECT
    d.object, d.rg, d.version, d.kind AS operation, d.actor, d.request,
    d."time", position_of(d.rg, d."offset") AS position,
    d.stores_then, d.outstanding,
    position_of(d.rg, CASE WHEN d.outstanding = [] THEN coalesce(d.gone_at, d."offset") END) AS confirmed,
    d.silent, d.retired,
    CASE
        WHEN d.outstanding <> [] THEN 'outstanding'
        WHEN d.silent <> [] OR p.why IS NOT NULL THEN 'confirmed'
        ELSE 'proven'
    END AS state
FROM waited d
LEFT JOIN kept.positions p
    ON p.topic = 'rg' AND p.partition = d.rg % (SELECT partitions FROM kept.meta);
COMMENT ON VIEW deletions IS
'Every accepted delete: who, when, which stores then had a copy of that or an older version, and
which have not confirmed its erasure (nor are retired by the map, where the RG has them retired).
state: outstanding; confirmed, when no fact is left; proven,
when moreover every store that a claim placed since the object''s first put has stated its holdings
since with nothing staged (or had closed, or is retired). silent: the stores that have not.
retired: those that are waited for no more because they are retired; `confirmations` has each store.';

-- The parts of each proof by themselves. An end of a copy is told by the event that stands there.
CREATE VIEW confirmations AS
WITH deleted AS (
    SELECT d.rg, d.id, d.version, d."offset", d."time", n.object
    FROM kept.operations d JOIN kept.objects n ON n.rg = d.rg AND n.id = d.id
    WHERE d.kind <> 'put'
),
placed AS (
    SELECT d.rg, d.version, d."time", d.object, t.store, t.closed_at, t.retired_at
    FROM deleted d JOIN standings t ON t.rg = d.rg AND t.placed_until >= d.id
),
stated AS (
    SELECT rg, store, version, min("offset") AS "offset" FROM kept.clean GROUP BY rg, store, version
),
parts AS (
    SELECT d.rg, d.version, d."time", d.object, f.store, f.version AS "copy", NULL AS how,
        CASE WHEN u.rg IS NULL THEN f.until_offset END AS "offset"
    FROM deleted d
    JOIN kept.facts f
        ON f.rg = d.rg AND f.id = d.id AND f.version <= d.version AND f.status <> 'held'
        AND (f.until_offset IS NULL OR f.until_offset > d."offset")
    LEFT JOIN kept.unfounded u ON u.rg = f.rg AND u."offset" = f.until_offset
    UNION ALL
    SELECT p.rg, p.version, p."time", p.object, p.store, NULL,
        CASE
            WHEN s."offset" IS NOT NULL THEN 'stated'
            WHEN p.closed_at IS NOT NULL THEN 'closed'
            WHEN p.retired_at IS NOT NULL THEN 'retired'
            ELSE 'silent'
        END,
        coalesce(s."offset", p.closed_at, p.retired_at)
    FROM placed p
    ASOF LEFT JOIN stated s ON s.rg = p.rg AND s.store = p.store AND s.version >= p.version
),
told AS (
    SELECT rg, "offset", moment("time") AS "time",
        CASE kind WHEN 'CopiesErased' THEN 'erased' WHEN 'CopiesLost' THEN 'gone' END AS how
    FROM kept.statements WHERE void IS NULL
    UNION ALL
    SELECT rg, "offset", moment("time"), 'retired' FROM kept.retirements WHERE void IS NULL
    UNION ALL
    SELECT rg, "offset", "time", NULL FROM kept.operations WHERE kind = 'put'
)
SELECT p.object, p.rg, p.version, p."time" AS deleted, k.name AS store, p."copy",
    CASE
        WHEN p.how IS NOT NULL THEN p.how
        WHEN p."offset" IS NULL THEN 'outstanding'
        ELSE coalesce(t.how, 'replaced')
    END AS how,
    position_of(p.rg, p."offset") AS confirmed, t."time"
FROM parts p
JOIN kept.stores k ON k.store = p.store
LEFT JOIN told t ON t.rg = p.rg AND t."offset" = p."offset";
COMMENT ON VIEW confirmations IS
'For every accepted delete and every store: how, where and when each copy ended that was there then
or came later (erased, gone, replaced by another, retired with its store; or outstanding), and, with
copy null, what says that no bytes are there of which no event tells (holdings stated with nothing
staged, closed, retired; or silent).';
