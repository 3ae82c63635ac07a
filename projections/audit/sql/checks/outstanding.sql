-- Deletions that a store has not confirmed.
SELECT object, version, "time", position, outstanding FROM deletions
WHERE state = 'outstanding' ORDER BY "time"
