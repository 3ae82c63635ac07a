-- RGs that a claim once placed on the OSD, and of which it has not said that nothing is left.
SELECT s.name AS store, rg_name(t.rg) AS rg
FROM standings t JOIN kept.stores s USING (store)
WHERE s.osd = $osd AND t.retired_at IS NULL AND t.is_closed IS NOT TRUE
ORDER BY s.name, t.rg
