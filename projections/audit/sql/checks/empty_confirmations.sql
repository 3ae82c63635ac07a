-- Erasures that were confirmed by stores that are not known to have ever had that object: void,
-- and nothing rests on them.
SELECT position_of(i.rg, i."offset") AS position, moment(i."timestamp") AS "timestamp",
    s.name AS store, n.object, i.version
FROM kept.items i
JOIN kept.stores s USING (store)
LEFT JOIN kept.operations o ON o.rg = i.rg AND o.version = i.version AND o."offset" < i."offset"
LEFT JOIN kept.objects n ON n.rg = o.rg AND n.id = o.id
WHERE i.kind = 'erase' AND i.void = 'NO_SUCH_COPY' AND NOT EXISTS (
    FROM kept.facts f
    WHERE f.rg = i.rg AND f.id = o.id AND f.store = i.store AND f.from_offset < i."offset"
)
ORDER BY i.rg, i."offset", i.item LIMIT 1000
