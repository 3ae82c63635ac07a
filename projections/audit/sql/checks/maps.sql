WITH moved AS (
    SELECT serves_epoch AS epoch, count(*) AS copies, sum(size) AS bytes
    FROM transfers WHERE void IS NULL
    GROUP BY serves_epoch
)
SELECT m.position, m."time", m.author, m.reason, m.epoch, m.layout,
    list(m.change ORDER BY m.number) AS changes, any_value(m.moved_rgs) AS moved_rgs,
    any_value(v.copies) AS imported_copies, any_value(v.bytes) AS imported_bytes,
    m.void
FROM map_changes m LEFT JOIN moved v ON v.epoch = m.epoch
GROUP BY m."offset", m.position, m."time", m.author, m.reason, m.epoch, m.layout, m.void
ORDER BY m."offset"
