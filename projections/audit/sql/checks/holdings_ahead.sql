-- Holdings stated at a version that nobody had made where they stand: operations before them are
-- missing, or whoever spoke foretold them. No proof rests on them.
SELECT position_of(s.rg, s."offset") AS position, moment(s."timestamp") AS "timestamp",
    k.name AS store, s.version AS stated_at
FROM kept.statements s JOIN kept.stores k USING (store)
WHERE s.is_ahead AND s.void IS NULL
ORDER BY s.rg, s."offset"
