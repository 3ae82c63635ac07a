-- Stores that said they have something else than the log says of them, and have not since made
-- it good: by statements of what they have, or by stating holdings that agree.
SELECT position_of(h.rg, h."offset") AS position, moment(h."timestamp") AS "timestamp",
    s.name AS store, h."count" AS stated, l."count" AS by_the_log
FROM (
    FROM kept.statements WHERE kind = 'HoldingsStated' AND void IS NULL AND attests
    QUALIFY row_number() OVER (PARTITION BY rg, store ORDER BY "offset" DESC) = 1
) h
JOIN kept.stores s USING (store)
JOIN kept.ledgers l USING (rg, store)
WHERE NOT h.agrees AND NOT EXISTS (
    FROM kept.statements t
    WHERE t.rg = h.rg AND t.store = h.store AND t.void IS NULL AND t."offset" > h."offset"
        AND t.kind IN ('CopiesErased', 'CopiesLost', 'ObjectsImported')
)
ORDER BY h.rg, h."offset"
