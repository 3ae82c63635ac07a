-- One batch, part 5: what the facts say about what was taken for granted when they were found.
--
-- Each doubt is about one place of the log and rests only on what stands before it. So when the
-- facts are found again with these doubts, at least the first wrong one is right, and the rounds
-- end; in a log without surprises after the first.

CREATE OR REPLACE TEMP TABLE new_doubts AS
-- Rule 5: not every placed store's copy counts where the dooming stands.
SELECT 'doom' AS kind, i.rg, i."offset", i.item, 'NOT_ALL_COUNT' AS rule
FROM items i
JOIN kept.doomings d ON d.rg = i.rg AND d."offset" = i."offset"
JOIN standing c
    ON c.rg = i.rg AND c.claim < i."offset" AND (c.replaced_at IS NULL OR i."offset" < c.replaced_at)
LEFT JOIN kept.placed p ON p.rg = c.rg AND p.claim = c.claim
LEFT JOIN spans s
    ON s.rg = i.rg AND s.id = i.id AND s.store = p.store AND s.status = 'held'
    AND s.from_offset < i."offset" AND (s.until_offset IS NULL OR s.until_offset >= i."offset")
WHERE i.kind = 'doom'
GROUP BY i.rg, i."offset", i.item, i.store, c.replicas
HAVING count(s.store) < c.replicas OR count(p.store) <> c.replicas OR bool_or(p.store = i.store)
UNION ALL
-- Rule 4: an import of a version that is older than the copy that is there, or is known already.
SELECT 'import', b.rg, offset_of(b.moment), (b.moment % 1024)::INTEGER,
    if(b.bare > 0, 'NO_CHANGE', 'BELOW_FACT')
FROM (
    SELECT rg, id, store, bare, moment, version, NULL AS row FROM items
    WHERE kind = 'import' AND id IS NOT NULL AND (bare > 0 OR NOT is_current)
) b
JOIN copies c
    ON c.rg = b.rg AND c.id = b.id AND c.store = b.store AND c.bare = b.bare
    AND b.moment > c.moment AND (c.replaced_at IS NULL OR b.moment <= c.replaced_at)
WHERE (c.dropped_at IS NULL OR c.dropped_at > b.moment) AND (b.bare > 0 OR c.version > b.version)
UNION ALL
-- Rule 4: items about versions that nobody remembers are about bare copies.
SELECT 'forgotten', i.rg, i."offset", i.item, 'bare'
FROM items i
ANTI JOIN worked w ON w.rg = i.rg AND w.moment = i.moment AND w.names_copy
ANTI JOIN spans s
    ON s.rg = i.rg AND s.id = i.id AND s.version = i.version AND NOT s.bare
    AND s.from_offset < i."offset" AND (s.until_offset IS NULL OR s.until_offset >= i."offset")
ANTI JOIN spans t
    ON t.rg = i.rg AND t.id = i.id AND i.is_current AND NOT t.bare
    AND t.from_offset < i."offset" AND (t.until_offset IS NULL OR t.until_offset >= i."offset")
WHERE i.id IS NOT NULL AND i.kind IN ('import', 'erase', 'gone') AND NOT i.is_live
UNION ALL
-- A store that says it has nothing left, and of which there are facts.
SELECT DISTINCT 'close', c.rg, c."offset", 0, 'FACTS_ARE_LEFT'
FROM said_statements c
JOIN (
    SELECT rg, store, from_offset, until_offset FROM spans
    UNION ALL
    SELECT rg, store, "offset", next_offset FROM put_stores WHERE is_plain
) s
    ON s.rg = c.rg AND s.store = c.store
    AND s.from_offset < c."offset" AND (s.until_offset IS NULL OR s.until_offset >= c."offset")
WHERE c.kind = 'ExportClosed';
