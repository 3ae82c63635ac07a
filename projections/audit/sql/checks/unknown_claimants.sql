-- Accepted claims by a process that the map never had, for an epoch it had not reached, or by a
-- store that is not among those the claim places.
SELECT c.position, c.store, c.boot, c.epoch,
    CASE
        WHEN NOT list_contains(c.placed, c.store) THEN 'not placed by its own claim'
        WHEN c.epoch > e.last THEN 'the map has no such epoch'
        ELSE 'the map never had this process'
    END AS why
FROM claims c
CROSS JOIN (SELECT coalesce(max(from_epoch), 0) AS last FROM kept.maps) e
LEFT JOIN (
    SELECT DISTINCT s.name, o.boot
    FROM kept.osds o JOIN kept.stores s ON s.osd = o.osd AND s.incarnation = o.osd_incarnation
) k ON k.name = c.store AND k.boot = c.boot
WHERE c.void IS NULL
    AND (k.name IS NULL OR c.epoch > e.last OR NOT list_contains(c.placed, c.store))
ORDER BY c.rg, c."offset"
