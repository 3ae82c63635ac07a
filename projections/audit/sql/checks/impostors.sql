-- What was said under a fence that nobody ever claimed.
SELECT position_of(rg, "offset") AS position, type, s.name AS store, epoch, "round", boot
FROM (
    SELECT o.rg, o."offset", operation_type(o.kind) AS type, k.store, o.fence.epoch AS epoch,
        o.fence.round AS "round", o.fence.boot AS boot, v.void
    FROM kept.voids v
    JOIN kept.said_operations o ON o.rg = v.rg AND o."offset" = v."offset"
    JOIN kept.stores k ON k.osd = o.fence.store.osd AND k.incarnation = o.fence.store.incarnation
    UNION ALL
    SELECT rg, "offset", 'CopiesDoomed', by_store, epoch, "round", boot, void FROM kept.doomings
    UNION ALL
    SELECT rg, "offset", 'StoreRetired', by_store, epoch, "round", boot, void FROM kept.retirements
) o
JOIN kept.stores s USING (store)
WHERE o.void = 'FENCED' AND NOT EXISTS (
    FROM kept.claims c
    WHERE c.rg = o.rg AND c.epoch = o.epoch AND c."round" = o."round" AND c.store = o.store
        AND c.boot = o.boot
)
ORDER BY rg, "offset"
