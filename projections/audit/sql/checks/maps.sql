WITH moved AS (
    SELECT t.serves_epoch AS epoch, count(*) AS copies, sum(o.size) AS bytes
    FROM kept.items i
    JOIN kept.statements t ON t.rg = i.rg AND t."offset" = i."offset"
    JOIN kept.operations o ON o.rg = i.rg AND o.version = i.version AND o.void IS NULL
    WHERE i.kind = 'import' AND i.void IS NULL
    GROUP BY t.serves_epoch
)
SELECT m.position, m."time", m.author, m.reason, m.epoch, m.layout,
    list(m.change ORDER BY m.number) AS changes, any_value(m.moved_rgs) AS moved_rgs,
    any_value(v.copies) AS imported_copies, any_value(v.bytes) AS imported_bytes,
    m.void
FROM map_changes m LEFT JOIN moved v ON v.epoch = m.epoch
GROUP BY m."offset", m.position, m."time", m.author, m.reason, m.epoch, m.layout, m.void
ORDER BY m."offset"
