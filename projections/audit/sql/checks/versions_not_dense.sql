-- RGs whose accepted versions are not 1..n, each once and in order.
SELECT rg_name(rg) AS rg, count(*) AS accepted, max(version) AS last, count(DISTINCT version) AS different
FROM kept.operations
GROUP BY rg
HAVING count(*) <> max(version) OR count(DISTINCT version) <> count(*)
ORDER BY rg
