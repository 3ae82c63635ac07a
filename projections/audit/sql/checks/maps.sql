-- A copy is counted under the last change that moved data before the claim it was fetched for: what
-- only says who is up moves nothing, and a claim made after it serves what was changed before.
WITH movers AS (
    SELECT "offset", epoch FROM (
        SELECT "offset", epoch, layout > lag(layout, 1, -1) OVER (ORDER BY "offset") AS moves
        FROM kept.map_events WHERE void IS NULL
    )
    WHERE moves
),
moved AS (
    SELECT m."offset", count(*) AS copies, sum(t.size) AS bytes
    FROM transfers t ASOF JOIN movers m ON m.epoch <= t.serves_epoch
    WHERE t.void IS NULL
    GROUP BY m."offset"
)
SELECT m.position, m."time", m.author, m.reason, m.epoch, m.layout,
    list(m.change ORDER BY m.number) AS changes, any_value(m.moved_rgs) AS moved_rgs,
    any_value(v.copies) AS imported_copies, any_value(v.bytes) AS imported_bytes,
    m.void
FROM map_changes m LEFT JOIN moved v ON v."offset" = m."offset"
GROUP BY m."offset", m.position, m."time", m.author, m.reason, m.epoch, m.layout, m.void
ORDER BY m."offset"
