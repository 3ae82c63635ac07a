-- Where each RG that was ever placed there ended: it had closed, or its store is retired.
SELECT s.name AS store, rg_name(t.rg) AS rg,
    if(t.retired_at IS NOT NULL, 'retired', 'closed') AS how,
    position_of(t.rg, coalesce(t.retired_at, (
        SELECT max(c."offset") FROM kept.statements c
        WHERE c.rg = t.rg AND c.store = t.store AND c.kind = 'ExportClosed' AND c.void IS NULL
    ))) AS position
FROM standings t JOIN kept.stores s USING (store)
WHERE s.osd = $osd AND (t.retired_at IS NOT NULL OR t.is_closed)
ORDER BY s.name, t.rg
