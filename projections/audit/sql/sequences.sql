-- One batch, part 2, again until it changes nothing: a claim whose first operation does not go on
-- where the RG stands accepts none. Which is known of the first such claim of each RG.

UPDATE sequences SET accepted = 0, broken_at = first_offset
FROM (
    SELECT rg, min(claim) AS claim
    FROM (
        SELECT
            q.rg, q.claim, q.before,
            coalesce(
                lag(q.before + q.accepted) OVER (PARTITION BY q.rg ORDER BY q.claim), g.version, 0
            ) AS due
        FROM sequences q LEFT JOIN kept.rgs g ON g.rg = q.rg
        WHERE q.accepted > 0
    )
    WHERE before <> due
    GROUP BY rg
) wrong
WHERE sequences.rg = wrong.rg AND sequences.claim = wrong.claim;
