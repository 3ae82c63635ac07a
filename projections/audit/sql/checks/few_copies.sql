-- Puts that were accepted on fewer stores than their claim's `min_replicas`.
WITH few AS (
    SELECT rg, "offset", object, version, fence, len(stores) AS stores FROM said.ObjectPut
    WHERE len(stores) < (SELECT max(min_replicas) FROM kept.claims WHERE void IS NULL)
)
SELECT position_of(f.rg, f."offset") AS position, f.object, f.version, f.stores, c.min_replicas
FROM few f
JOIN kept.operations o ON o.rg = f.rg AND o."offset" = f."offset"
JOIN kept.claims c
    ON c.rg = f.rg AND c.epoch = f.fence.epoch AND c."round" = f.fence.round AND c.void IS NULL
WHERE f.stores < c.min_replicas
ORDER BY f.rg, f."offset"
