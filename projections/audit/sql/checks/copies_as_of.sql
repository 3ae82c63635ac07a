-- The copies of one RG as its log says, up to an offset.
SELECT s.name AS store, o.object, f.version, f.status
FROM kept.facts f JOIN kept.stores s USING (store) JOIN kept.objects o USING (rg, id)
WHERE f.rg = $rg AND f.from_offset < $offset
    AND (f.until_offset IS NULL OR f.until_offset >= $offset)
ORDER BY s.name, f.version
