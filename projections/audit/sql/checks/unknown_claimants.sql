-- Accepted claims by who had no right to them, by the map of the epoch that they name: a process
-- that this map does not have, or not first of those that are up, or for other numbers than its
-- own. Who is placed is compared where the present layout was that map's already: of older ones the
-- placement is not kept. Where the map cannot be read to its end, nobody knows of later epochs.
WITH epochs AS (
    SELECT coalesce(max(from_epoch), 0) AS last, max(layout) AS layout,
        EXISTS (FROM kept.positions WHERE topic = 'map' AND why IS NOT NULL) AS is_cut
    FROM kept.maps
),
known AS (
    SELECT k.store, o.boot, o.is_up, o.from_epoch, coalesce(o.until_epoch, never) AS until_epoch
    FROM kept.osds o
    JOIN kept.stores k ON k.osd = o.osd AND k.incarnation = o.osd_incarnation
    CROSS JOIN (SELECT 9223372036854775807 AS never)
),
placed AS (
    SELECT p.rg, p.claim, bool_or(p.store = c.store) AS is_placed,
        list(p.store ORDER BY p.place) AS stores,
        arg_min(p.store, p.place) FILTER (k.is_up AND c.epoch < k.until_epoch) AS "primary"
    FROM kept.placed p
    JOIN kept.claims c ON c.rg = p.rg AND c."offset" = p.claim AND c.void IS NULL
    ASOF LEFT JOIN known k ON k.store = p.store AND k.from_epoch <= c.epoch
    GROUP BY p.rg, p.claim
),
judged AS (
    SELECT c.rg, c."offset", c.store, c.boot, c.epoch,
        CASE
            WHEN p.is_placed IS NOT TRUE THEN 'not placed by its own claim'
            WHEN m.from_epoch IS DISTINCT FROM c.epoch THEN 'the map has no such epoch'
            WHEN NOT EXISTS (FROM known k WHERE k.store = c.store AND k.boot = c.boot)
                THEN 'the map never had this process'
            WHEN k.store IS NULL OR c.epoch >= k.until_epoch
                THEN 'the map of that epoch does not have this process'
            WHEN m.layout = e.layout AND p.stores IS DISTINCT FROM l.stores
                THEN 'not placed as that map places the RG'
            WHEN p."primary" IS DISTINCT FROM c.store THEN 'not the primary by that map'
            WHEN (c.replicas, c.min_replicas, c.rules)
                IS DISTINCT FROM (m.replicas, m.min_replicas, m.rules)
                THEN 'for other copies or rules than that map has'
            WHEN c.next_offset > c."offset" THEN 'by who says to have read what came later'
        END AS why
    FROM kept.claims c
    CROSS JOIN epochs e
    LEFT JOIN placed p ON p.rg = c.rg AND p.claim = c."offset"
    LEFT JOIN placement l ON l.rg = c.rg
    ASOF LEFT JOIN known k
        ON k.store = c.store AND k.boot = c.boot AND k.from_epoch <= c.epoch
    ASOF LEFT JOIN kept.maps m ON m.from_epoch <= c.epoch
    WHERE c.void IS NULL AND NOT (e.is_cut AND c.epoch > e.last AND p.is_placed)
)
SELECT position_of(j.rg, j."offset") AS position, s.name AS store, j.boot, j.epoch, j.why
FROM judged j JOIN kept.stores s USING (store)
WHERE j.why IS NOT NULL
ORDER BY j.rg, j."offset"
