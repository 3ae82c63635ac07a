-- One batch, part 1: stores, claims, operations, retirements. None of it depends on copies.
--
-- `in_<Event>` are the batch's events. Rule numbers are those of docs/protocol.md.

INSERT INTO kept.stores
WITH said AS (
    SELECT fence.store.osd AS osd, fence.store.incarnation AS incarnation FROM in_ObjectPut
    UNION ALL SELECT fence.store.osd, fence.store.incarnation FROM in_ObjectDeleted
    UNION ALL SELECT fence.store.osd, fence.store.incarnation FROM in_ObjectDeclaredLost
    UNION ALL SELECT fence.store.osd, fence.store.incarnation FROM in_RgClaimed
    UNION ALL SELECT fence.store.osd, fence.store.incarnation FROM in_CopiesDoomed
    UNION ALL SELECT fence.store.osd, fence.store.incarnation FROM in_StoreRetired
    UNION ALL SELECT store.osd, store.incarnation FROM in_CopiesDoomed
    UNION ALL SELECT store.osd, store.incarnation FROM in_StoreRetired
    UNION ALL SELECT store.osd, store.incarnation FROM in_HoldingsStated
    UNION ALL SELECT store.osd, store.incarnation FROM in_ObjectsImported
    UNION ALL SELECT source.osd, source.incarnation FROM in_ObjectsImported WHERE source IS NOT NULL
    UNION ALL SELECT store.osd, store.incarnation FROM in_CopiesErased
    UNION ALL SELECT store.osd, store.incarnation FROM in_CopiesLost
    UNION ALL SELECT store.osd, store.incarnation FROM in_ExportClosed
    UNION ALL SELECT s.osd, s.incarnation FROM (SELECT unnest(placed) AS s FROM in_RgClaimed)
    UNION ALL SELECT s.osd, s.incarnation
    FROM (SELECT unnest(stores) AS s FROM kept.lists ANTI JOIN kept.listed USING (list))
)
SELECT
    (SELECT coalesce(max(store), -1) FROM kept.stores) + row_number() OVER (ORDER BY osd, incarnation),
    osd, incarnation, printf('osd.%d/%016x', osd, incarnation)
FROM (SELECT DISTINCT osd, incarnation FROM said)
ANTI JOIN kept.stores USING (osd, incarnation);

INSERT INTO kept.listed
SELECT l.list, k.store
FROM (SELECT list, unnest(stores) AS s FROM kept.lists ANTI JOIN kept.listed USING (list)) l
JOIN kept.stores k ON k.osd = l.s.osd AND k.incarnation = l.s.incarnation
UNION ALL
SELECT list_of(store), store
FROM kept.stores WHERE list_of(store) NOT IN (SELECT list FROM kept.listed);

-- Rule 1: a claim is accepted iff (epoch, round) exceeds that of every one before.
CREATE OR REPLACE TEMP TABLE last_claims AS
FROM kept.claims WHERE void IS NULL
QUALIFY row_number() OVER (PARTITION BY rg ORDER BY "offset" DESC) = 1;

CREATE OR REPLACE TEMP TABLE new_claims AS
WITH ranked AS (
    SELECT
        c.*, s.store, c.fence.epoch AS epoch, c.fence.round AS "round", c.fence.boot AS boot,
        rank_of(c.fence.epoch, c.fence.round) AS rank
    FROM in_RgClaimed c
    JOIN kept.stores s ON s.osd = c.fence.store.osd AND s.incarnation = c.fence.store.incarnation
)
SELECT
    r.*,
    r.rank <= greatest(
        max(r.rank) OVER (
            PARTITION BY r.rg ORDER BY r."offset" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ),
        rank_of(l.epoch, l."round")
    ) AS is_old
FROM ranked r LEFT JOIN last_claims l ON l.rg = r.rg;

INSERT INTO kept.placed
SELECT c.rg, c."offset", c.place, s.store
FROM (
    SELECT rg, "offset", unnest(placed) AS p, generate_subscripts(placed, 1) AS place
    FROM new_claims
) c
JOIN kept.stores s ON s.osd = c.p.osd AND s.incarnation = c.p.incarnation;

-- Every claim that a batch's event may have been said under, and up to where it is the last.
CREATE OR REPLACE TEMP TABLE standing AS
SELECT
    rg, claim, epoch, "round", store, boot, replicas, ended_at,
    lead(claim) OVER (PARTITION BY rg ORDER BY claim) AS replaced_at
FROM (
    SELECT rg, "offset" AS claim, epoch, "round", store, boot, replicas, ended_at
    FROM last_claims
    UNION ALL
    SELECT rg, "offset", epoch, "round", store, boot, replicas, NULL
    FROM new_claims WHERE is_old IS NOT TRUE
);

-- Rule 2: operations, each with the claim that was the last one where it stands.
CREATE OR REPLACE TEMP TABLE said_operations AS
WITH said AS (
    SELECT rg, "offset", "time", 'put'::operation_kind AS kind, object, version, fence, list
    FROM in_ObjectPut
    UNION ALL
    SELECT rg, "offset", "time", 'delete'::operation_kind, object, version, fence, NULL
    FROM in_ObjectDeleted
    UNION ALL
    SELECT rg, "offset", "time", 'declared lost'::operation_kind, object, version, fence, NULL
    FROM in_ObjectDeclaredLost
)
SELECT said.* EXCLUDE (fence), c.claim, c.ended_at
FROM said
LEFT JOIN (
    SELECT c.*, s.osd, s.incarnation FROM standing c JOIN kept.stores s USING (store)
) c
    ON c.rg = said.rg AND c.epoch = said.fence.epoch AND c."round" = said.fence.round
    AND c.osd = said.fence.store.osd AND c.incarnation = said.fence.store.incarnation
    AND c.boot = said.fence.boot
    AND c.claim < said."offset" AND (c.replaced_at IS NULL OR said."offset" < c.replaced_at);

-- Under each claim: the version before its first operation, and where the sequence breaks.
CREATE OR REPLACE TEMP TABLE sequences AS
WITH ordered AS (
    SELECT
        *, lag(rg) OVER () AS last_rg, lag(claim) OVER () AS last_claim,
        lag(version) OVER () AS last_version
    FROM (
        SELECT rg, claim, "offset", version FROM said_operations
        WHERE claim IS NOT NULL AND ended_at IS NULL
        ORDER BY rg, claim, "offset"
    )
),
compared AS (
    SELECT
        rg, claim, "offset", version, last_version,
        last_rg = rg AND last_claim = claim AND version <> last_version + 1 AS breaks
    FROM ordered
)
SELECT
    rg, claim, arg_min(version, "offset") - 1 AS before, min("offset") AS first_offset,
    min("offset") FILTER (breaks) AS broken_at,
    coalesce(arg_min(last_version, "offset") FILTER (breaks), max(version)) - before AS accepted
FROM compared
GROUP BY rg, claim;
