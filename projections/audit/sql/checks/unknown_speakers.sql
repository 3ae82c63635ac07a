-- Accepted statements by processes that the map never had: what they said of copies was believed.
SELECT store, boot, statements, position_of(rg, "offset") AS first
FROM kept.strangers ORDER BY store, boot, rg
