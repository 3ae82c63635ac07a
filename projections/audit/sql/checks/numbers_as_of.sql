-- What each store had of the RGs that were asked about, where their node had folded to.
SELECT f.rg, s.name AS store, count(*) AS "count",
    count(*) FILTER (f.status = 'held') AS held,
    digest_sum(sum(weight_of(f.rg, f.version))) AS digest
FROM asked a
JOIN kept.facts f
    ON f.rg = a.rg AND f.from_offset < a.next_offset
    AND (f.until_offset IS NULL OR f.until_offset >= a.next_offset)
JOIN kept.stores s USING (store)
GROUP BY f.rg, s.name
