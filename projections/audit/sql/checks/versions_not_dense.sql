-- RGs whose accepted versions are not 1..n, each once and in order. The different ones are the bits
-- of one number for 64 versions each.
SELECT rg_name(rg) AS rg, sum("count")::BIGINT AS accepted, max(last) AS last,
    sum(bit_count(bits))::BIGINT AS different
FROM (
    SELECT rg, count(*) AS "count", min(version) AS first, max(version) AS last,
        bit_or(1::UBIGINT << (version & 63)) AS bits
    FROM kept.operations GROUP BY rg, version >> 6
)
GROUP BY rg
HAVING min(first) <> 1 OR accepted <> last OR different <> accepted
ORDER BY rg
