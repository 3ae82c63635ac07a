-- Accepted statements by a process that the map never had: what it said of its copies was believed.
-- Where the map cannot be read to its end, nobody knows who came later.
SELECT k.name AS store, t.boot, t.statements, position_of(t.first.rg, t.first.o) AS first
FROM (
    SELECT store, boot, count(*) AS statements,
        arg_min({'rg': rg, 'o': "offset"}, "timestamp") AS first
    FROM kept.statements WHERE void IS NULL GROUP BY store, boot
) t
JOIN kept.stores k USING (store)
WHERE NOT EXISTS (
        FROM kept.osds o
        WHERE o.osd = k.osd AND o.osd_incarnation = k.incarnation AND o.boot = t.boot
    )
    AND NOT EXISTS (FROM kept.positions WHERE topic = 'map' AND why IS NOT NULL)
ORDER BY k.osd, k.incarnation, t.boot
