-- The RGs of which the log knows copies at a store.
SELECT DISTINCT f.rg
FROM kept.facts f JOIN kept.stores s USING (store)
WHERE s.name = $store AND f.until_offset IS NULL
