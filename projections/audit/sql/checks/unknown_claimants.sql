-- Accepted claims by a process that the map never had, for an epoch it had not reached, or by a
-- store that is not among those the claim places. Where the map cannot be read to its end, nobody
-- knows of later epochs.
SELECT c.position, c.store, c.boot, c.epoch,
    CASE
        WHEN NOT list_contains(c.placed, c.store) THEN 'not placed by its own claim'
        WHEN c.epoch > e.last THEN 'the map has no such epoch'
        ELSE 'the map never had this process'
    END AS why
FROM claims c
CROSS JOIN (
    SELECT coalesce(max(from_epoch), 0) AS last,
        EXISTS (FROM kept.positions WHERE topic = 'map' AND why IS NOT NULL) AS is_cut
    FROM kept.maps
) e
LEFT JOIN (
    SELECT DISTINCT s.name, o.boot
    FROM kept.osds o JOIN kept.stores s ON s.osd = o.osd AND s.incarnation = o.osd_incarnation
) k ON k.name = c.store AND k.boot = c.boot
WHERE c.void IS NULL
    AND (
        NOT list_contains(c.placed, c.store)
        OR (k.name IS NULL AND NOT (e.is_cut AND c.epoch > e.last))
        OR (c.epoch > e.last AND NOT e.is_cut)
    )
ORDER BY c.rg, c."offset"
