-- How far each RG that was asked about had come, where its node had folded to: its version, and
-- its live objects.
SELECT a.rg, coalesce(max(l.version), 0) AS version, count(*) FILTER (l.kind = 'put') AS live
FROM asked a
LEFT JOIN (
    SELECT o.rg, o.id, max(o.version) AS version, arg_max(o.kind, o.version) AS kind
    FROM kept.operations o JOIN asked a ON a.rg = o.rg AND o."offset" < a.next_offset
    GROUP BY o.rg, o.id
) l USING (rg)
GROUP BY a.rg
