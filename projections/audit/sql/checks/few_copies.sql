-- Puts that were accepted on fewer stores than their claim's `min_replicas`.
-- Where no list of stores is so short, no put is read.
WITH few AS (
    SELECT p.rg, p."offset", p.object, p.version, p.fence, len(l.stores) AS stores
    FROM said.ObjectPut p JOIN kept.lists l USING (list)
    WHERE len(l.stores) < (SELECT max(min_replicas) FROM kept.claims WHERE void IS NULL)
)
SELECT position_of(f.rg, f."offset") AS position, f.object, f.version, f.stores, c.min_replicas
FROM few f
JOIN kept.operations o ON o.rg = f.rg AND o."offset" = f."offset"
JOIN kept.claims c
    ON c.rg = f.rg AND c.epoch = f.fence.epoch AND c."round" = f.fence.round AND c.void IS NULL
WHERE f.stores < c.min_replicas
ORDER BY f.rg, f."offset"
