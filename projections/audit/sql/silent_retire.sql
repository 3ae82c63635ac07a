-- RGs that the OSD's stores could say to be empty, and have not: nothing keeps them there.
SELECT DISTINCT s.name AS store, t.rg
FROM standings t JOIN kept.stores s USING (store)
WHERE s.osd = $osd AND t.retired_at IS NULL AND t.is_closed IS NOT TRUE
    AND t.rg NOT IN (SELECT rg FROM kept.placement WHERE osd = $osd)
    AND NOT EXISTS (
        FROM kept.facts f WHERE f.rg = t.rg AND f.store = t.store AND f.until_offset IS NULL
    )
ORDER BY ALL
