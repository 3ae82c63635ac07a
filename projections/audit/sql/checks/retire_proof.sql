-- Where each RG that was ever placed there ended: it had closed, or its store is retired.
WITH told AS (
    SELECT rg, "offset", "time" FROM kept.statements WHERE kind = 'ExportClosed' AND void IS NULL
    UNION ALL
    SELECT rg, "offset", "time" FROM kept.retirements WHERE void IS NULL
)
SELECT s.name AS store, rg_name(t.rg) AS rg,
    if(t.retired_at IS NOT NULL, 'retired', 'closed') AS how,
    position_of(t.rg, e."offset") AS position, moment(e."time") AS "time"
FROM standings t
JOIN kept.stores s USING (store)
JOIN told e ON e.rg = t.rg AND e."offset" = coalesce(t.retired_at, t.closed_at)
WHERE s.osd = $osd
ORDER BY s.name, t.rg
