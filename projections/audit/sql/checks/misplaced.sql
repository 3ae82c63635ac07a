-- Events in another partition than their RG's: nobody folds them.
SELECT 'rg/' || partition || '@' || "offset" AS position, rg_name(rg) AS rg, type
FROM kept.misplaced ORDER BY partition, "offset"
