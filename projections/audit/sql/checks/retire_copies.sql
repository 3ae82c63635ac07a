-- What is still on the OSD's stores, and where else the object is held.
SELECT s.name AS store, rg_name(f.rg) AS rg, o.object, f.version, f.status,
    (
        SELECT list(k.name ORDER BY k.name) FROM kept.facts e JOIN kept.stores k USING (store)
        WHERE e.rg = f.rg AND e.id = f.id AND e.until_offset IS NULL AND e.status = 'held'
            AND k.osd <> $osd AND k.store NOT IN (FROM kept.gone)
    ) AS held_elsewhere
FROM kept.facts f JOIN kept.stores s USING (store) JOIN kept.objects o USING (rg, id)
WHERE f.until_offset IS NULL AND s.osd = $osd
ORDER BY f.rg, o.object
