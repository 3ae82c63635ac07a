-- What people ask: views and macros, each with a comment that says what it shows.
--
-- A position is written as the log writes it, `rg/31@4`; it is before the record that stands there.

CREATE MACRO position_of(rg, o) AS
    'rg/' || rg % (SELECT partitions FROM kept.meta) || '@' || o;
CREATE MACRO offset_in(position) AS split_part(position, '@', 2)::BIGINT;
CREATE MACRO partition_in(position) AS regexp_extract(position, '/(\d+)@', 1)::INTEGER;
CREATE MACRO rg_name(rg) AS printf('rg %x', rg);

CREATE MACRO operation_type(kind) AS CASE kind
    WHEN 'put' THEN 'ObjectPut' WHEN 'delete' THEN 'ObjectDeleted' ELSE 'ObjectDeclaredLost' END;
CREATE MACRO item_type(kind) AS CASE kind
    WHEN 'doom' THEN 'CopiesDoomed' WHEN 'import' THEN 'ObjectsImported'
    WHEN 'erase' THEN 'CopiesErased' ELSE 'CopiesLost' END;

-- What is said in `said`, in the columns that people read.
CREATE MACRO sum_text(s) AS printf('%016x%016x%016x%016x', s.a, s.b, s.c, s.d);
CREATE VIEW kept.said_operations AS
SELECT rg, partition, "offset", "timestamp", "time", 'put'::operation_kind AS kind, object, version, actor, request, fence,
    serial, size, sha256, media_type, metadata, NULL::BIGINT AS lost_version,
    NULL::VARCHAR AS reason FROM said.ObjectPut
UNION ALL
SELECT rg, partition, "offset", "timestamp", "time", 'delete', object, version, actor, request, fence,
    serial, NULL, NULL, NULL, NULL, NULL, NULL FROM said.ObjectDeleted
UNION ALL
SELECT rg, partition, "offset", "timestamp", "time", 'declared lost', object, version, actor, NULL, fence,
    NULL, NULL, NULL, NULL, NULL, lost_version, reason FROM said.ObjectDeclaredLost;
-- Who looks for few items looks for their events here first, and takes those apart.
CREATE VIEW kept.listings AS
WITH said AS (
    SELECT rg, "offset", "timestamp", 'doom' AS kind, store, versions FROM said.CopiesDoomed
    UNION ALL SELECT rg, "offset", "timestamp", 'import', store, versions FROM said.ObjectsImported
    UNION ALL SELECT rg, "offset", "timestamp", 'erase', store, versions FROM said.CopiesErased
    UNION ALL
    SELECT rg, "offset", "timestamp", CASE WHEN gone THEN 'gone' ELSE 'lose' END, store, versions FROM said.CopiesLost
),
accepted AS (
    SELECT rg, "offset" FROM kept.statements WHERE void IS NULL
    UNION ALL SELECT rg, "offset" FROM kept.doomings WHERE void IS NULL
)
SELECT said.* EXCLUDE (store), k.store
FROM said SEMI JOIN accepted USING (rg, "offset")
JOIN kept.stores k ON k.osd = said.store.osd AND k.incarnation = said.store.incarnation;
CREATE VIEW kept.items AS
SELECT i.*, v.void
FROM (
    SELECT rg, "offset", "timestamp", kind, store, unnest(versions) AS version,
        generate_subscripts(versions, 1)::INTEGER AS item
    FROM kept.listings
) i
LEFT JOIN kept.item_voids v ON v.rg = i.rg AND v."offset" = i."offset" AND v.item = i.item;
COMMENT ON VIEW kept.said_operations IS 'Operations as they were said.';
COMMENT ON VIEW kept.listings IS 'Accepted events that list versions.';
COMMENT ON VIEW kept.items IS 'Single versions that accepted events list.';

CREATE VIEW rules AS SELECT rule, meaning FROM kept.rules;
COMMENT ON VIEW rules IS 'The rules that make an event, or one item of it, change nothing.';

CREATE VIEW claims AS
SELECT
    c.rg, c."offset", position_of(c.rg, c."offset") AS position, moment(c."timestamp") AS "timestamp",
    c.epoch, c."round", s.name AS store, c.boot, c.replicas, c.min_replicas, c.rules,
    (
        SELECT list(k.name ORDER BY p.place) FROM kept.placed p JOIN kept.stores k USING (store)
        WHERE p.rg = c.rg AND p.claim = c."offset"
    ) AS placed,
    c.void, c.ended_at,
    CASE WHEN c.void IS NULL THEN
        lead(c."offset") OVER (PARTITION BY c.rg, c.void IS NULL ORDER BY c."offset")
    END AS replaced_at
FROM kept.claims c JOIN kept.stores s USING (store);
COMMENT ON VIEW claims IS
'Every claim of an RG: who took it over, for which placed stores. It stands until the offset
replaced_at, or ended_at if an operation under it was out of sequence. void: the rule that refused it.';

CREATE VIEW ops AS
SELECT
    o.rg, o."offset", position_of(o.rg, o."offset") AS position,
    moment(o."timestamp") AS "timestamp", moment(o."time") AS "time",
    o.kind AS operation, o.object, o.version, o.size, sum_text(o.sha256) AS sha256, o.media_type,
    o.metadata, o.actor, o.request, o.lost_version, o.reason,
    o.fence.epoch AS epoch, o.fence.round AS "round", s.name AS store, o.fence.boot AS boot,
    o.serial, v.void
FROM kept.said_operations o
JOIN kept.derived d ON d.partition = o.partition AND o."offset" < d.next_offset
JOIN kept.stores s ON s.osd = o.fence.store.osd AND s.incarnation = o.fence.store.incarnation
LEFT JOIN kept.voids v ON v.rg = o.rg AND v."offset" = o."offset";
COMMENT ON VIEW ops IS
'Every operation on an object that was said, accepted or void. actor: as the client says; nobody
is authenticated. epoch, round, store, boot: the claim it was said under.';

CREATE VIEW object_versions AS
SELECT
    n.object, o.rg, o.version,
    row_number() OVER w AS revision,
    o.kind AS operation, s.size, sum_text(s.sha256) AS sha256, s.media_type, s.metadata,
    s.actor, s.request, o."time", position_of(o.rg, o."offset") AS position,
    CASE
        WHEN o.kind <> 'put' THEN 'deletion'
        WHEN lead(o.kind) OVER w IS NULL THEN 'live'
        WHEN lead(o.kind) OVER w = 'put' THEN 'superseded'
        ELSE 'deleted'
    END AS state
FROM kept.objects n
JOIN kept.operations o USING (rg, id)
JOIN kept.said_operations s ON s.rg = o.rg AND s."offset" = o."offset"
WINDOW w AS (PARTITION BY n.object ORDER BY o.version);
COMMENT ON VIEW object_versions IS
'Every accepted version of every object. version counts the operations of the RG, revision those
of the object. state: live, superseded by a later put, deleted, or deletion for the delete itself.';

CREATE VIEW copy_history AS
SELECT
    f.rg, o.object, f.version, s.name AS store, s.osd, f.status, f.bare AS is_forgotten,
    position_of(f.rg, f.from_offset) AS since, position_of(f.rg, f.until_offset) AS until,
    f.from_offset, f.until_offset
FROM kept.facts f JOIN kept.stores s USING (store) JOIN kept.objects o USING (rg, id);
COMMENT ON VIEW copy_history IS
'Who ever had which version of which object, and from where to where in the log: held, doomed (it
may go), or lost (bad, or perhaps not there). until is null for what is there now. is_forgotten:
the copy of a version that no operation and no other copy is about any more.';

CREATE VIEW copies AS
SELECT rg, object, version, store, osd, status, is_forgotten, since
FROM copy_history WHERE until_offset IS NULL;
COMMENT ON VIEW copies IS
'Who has which version of which object now. A copy counts if it is held and the map has not
retired its store.';

CREATE VIEW kept.gone AS
SELECT s.store FROM kept.retired_stores r
JOIN kept.stores s ON s.osd = r.osd AND s.incarnation = r.incarnation;
COMMENT ON VIEW kept.gone IS
'Stores that the map has retired: what they have does not count, also where no primary has yet said
so to the RG.';

CREATE VIEW objects AS
SELECT
    o.rg, n.object, o.version, o.kind = 'put' AS is_live, p.size,
    coalesce(f.copies, 0) AS copies, coalesce(f.counted, 0) AS counted,
    o."time", position_of(o.rg, o."offset") AS position
FROM (
    SELECT rg, id, max(version) AS version, arg_max(kind, version) AS kind,
        arg_max("time", version) AS "time", max("offset") AS "offset"
    FROM kept.operations GROUP BY rg, id
) o
JOIN kept.objects n USING (rg, id)
LEFT JOIN said.ObjectPut p ON p.rg = o.rg AND p."offset" = o."offset"
LEFT JOIN (
    SELECT rg, id, count(*) AS copies,
        count(*) FILTER (status = 'held' AND g.store IS NULL) AS counted
    FROM kept.facts LEFT JOIN kept.gone g USING (store)
    WHERE until_offset IS NULL AND NOT bare GROUP BY rg, id
) f ON f.rg = o.rg AND f.id = o.id;
COMMENT ON VIEW objects IS
'Every object that ever was, as its last operation left it; copies: known copies of any status,
counted: those that are held by a store that the map has not retired.';

CREATE VIEW holdings AS
SELECT
    h.rg, h."offset", position_of(h.rg, h."offset") AS position,
    moment(h."timestamp") AS "timestamp", s.name AS store, h.boot, h.version, h.staged_from,
    h.answers_epoch, h.answers_round, h."count", lower(hex(h.digest)) AS digest, h.attests,
    h.agrees, r.store IS NULL AND h.is_last AS is_last
FROM (
    SELECT *, row_number() OVER (PARTITION BY rg, store ORDER BY "offset" DESC) = 1 AS is_last
    FROM kept.statements WHERE kind = 'HoldingsStated' AND void IS NULL
) h
JOIN kept.stores s USING (store)
LEFT JOIN kept.retirements r ON r.rg = h.rg AND r.store = h.store AND r.void IS NULL;
COMMENT ON VIEW holdings IS
'What stores said they have of an RG. attests: no later operation had named the store; agrees:
count and digest are those of the facts at that place. is_last: the newest of a store that is
not retired.';

CREATE VIEW transfers AS
SELECT
    t.rg, t."offset", position_of(t.rg, t."offset") AS position,
    moment(t."timestamp") AS "timestamp", n.object, i.version, p.size, f.name AS source,
    s.name AS store, t.serves_epoch, t.serves_round, i.void
FROM kept.items i
JOIN kept.statements t ON t.rg = i.rg AND t."offset" = i."offset"
JOIN kept.stores s ON s.store = t.store
LEFT JOIN kept.stores f ON f.store = t.source
LEFT JOIN kept.operations o ON o.rg = i.rg AND o.version = i.version
LEFT JOIN kept.objects n ON n.rg = o.rg AND n.id = o.id
LEFT JOIN said.ObjectPut p ON p.rg = o.rg AND p."offset" = o."offset"
WHERE i.kind = 'import';
COMMENT ON VIEW transfers IS
'Every copy that a store said it had fetched: from where, for which claim. source is null where
the bytes were there already.';

CREATE VIEW map_changes AS
SELECT
    e."offset", 'map/0@' || e."offset" AS position, moment(e."time") AS "time", e.author, e.reason,
    e.made_for_layout, e.epoch, e.layout, c.number, c.kind, c.osd, c.rg, c.change, e.moved_rgs,
    e.void
FROM kept.map_events e JOIN kept.map_changes c USING ("offset");
COMMENT ON VIEW map_changes IS
'Every change of the cluster map. Changes of one event apply together; epoch and layout are those
that it made, null with the reason in void where it was refused; moved_rgs: how many RGs the whole
event placed otherwise.';

CREATE VIEW osds_at_epoch AS
SELECT m.from_epoch AS epoch, o.* EXCLUDE (from_epoch, until_epoch)
FROM kept.maps m JOIN kept.osds o
    ON o.from_epoch <= m.from_epoch AND (o.until_epoch IS NULL OR m.from_epoch < o.until_epoch);
COMMENT ON VIEW osds_at_epoch IS
'The OSDs of the map at every epoch that an event made. weight in 1/65,536.';

CREATE VIEW misplaced_events AS
SELECT rg, partition, "offset", moment("timestamp") AS "timestamp", type FROM kept.misplaced;
COMMENT ON VIEW misplaced_events IS
'Events that stand in another partition than their RG''s; nobody folds them.';

CREATE VIEW void_events AS
WITH found AS (
    SELECT rg, "offset", "timestamp", NULL::INTEGER AS item, 'RgClaimed' AS type, NULL::BIGINT AS version,
        NULL::VARCHAR AS object, store, void FROM kept.claims
    UNION ALL
    SELECT o.rg, o."offset", o."timestamp", NULL, operation_type(o.kind), o.version, o.object,
        k.store, v.void
    FROM kept.voids v
    JOIN kept.said_operations o ON o.rg = v.rg AND o."offset" = v."offset"
    JOIN kept.stores k ON k.osd = o.fence.store.osd AND k.incarnation = o.fence.store.incarnation
    UNION ALL
    SELECT rg, "offset", "timestamp", NULL, 'StoreRetired', NULL, NULL, by_store, void
    FROM kept.retirements
    UNION ALL
    SELECT rg, "offset", "timestamp", NULL, 'CopiesDoomed', NULL, NULL, by_store, void
    FROM kept.doomings
    UNION ALL
    SELECT rg, "offset", "timestamp", NULL, kind, version, NULL, store, void FROM kept.statements
    UNION ALL
    SELECT i.rg, i."offset", i."timestamp", i.item, item_type(i.kind), i.version, n.object,
        i.store, i.void
    FROM kept.items i
    LEFT JOIN kept.operations o ON o.rg = i.rg AND o.version = i.version AND o."offset" < i."offset"
    LEFT JOIN kept.objects n ON n.rg = o.rg AND n.id = o.id
    WHERE i.void IS NOT NULL
)
SELECT
    'rg' AS topic, v.rg, v."offset", position_of(v.rg, v."offset") AS position,
    moment(v."timestamp") AS "timestamp", v.type, v.item, v.version, v.object, s.name AS store,
    v.void, r.meaning
FROM found v LEFT JOIN kept.stores s USING (store) LEFT JOIN kept.rules r ON r.rule = v.void
WHERE v.void IS NOT NULL
UNION ALL
SELECT 'map', NULL, "offset", 'map/0@' || "offset", moment("timestamp"), 'MapChanged', NULL, NULL,
    NULL, NULL, 'REFUSED', void
FROM kept.map_events WHERE void IS NOT NULL
UNION ALL
SELECT 'rg', rg, "offset", 'rg/' || partition || '@' || "offset", moment("timestamp"), type, NULL,
    NULL, NULL, NULL, 'MISPLACED', 'it stands in the partition of another RG'
FROM kept.misplaced;
COMMENT ON VIEW void_events IS
'What changed nothing, with the rule: whole events, and single items (item is then its number in
the event) of events that were accepted. Void is not wrong: a repeated claim, a late erasure.';

CREATE VIEW events AS
WITH said AS (
    SELECT rg, "offset", "timestamp", "time", 'RgClaimed' AS type, NULL::VARCHAR AS object,
        NULL::BIGINT AS version, store, NULL::VARCHAR AS actor, void FROM kept.claims
    UNION ALL
    SELECT o.rg, o."offset", o."timestamp", o."time", operation_type(o.kind), o.object, o.version,
        k.store, o.actor, v.void
    FROM kept.said_operations o
    JOIN kept.derived d ON d.partition = o.partition AND o."offset" < d.next_offset
    JOIN kept.stores k ON k.osd = o.fence.store.osd AND k.incarnation = o.fence.store.incarnation
    LEFT JOIN kept.voids v ON v.rg = o.rg AND v."offset" = o."offset"
    UNION ALL
    SELECT rg, "offset", "timestamp", "time", 'StoreRetired', NULL, NULL, store, NULL, void
    FROM kept.retirements
    UNION ALL
    SELECT rg, "offset", "timestamp", "time", 'CopiesDoomed', NULL, NULL, store, NULL, void
    FROM kept.doomings
    UNION ALL
    SELECT rg, "offset", "timestamp", "time", kind, NULL, version, store, NULL, void
    FROM kept.statements
)
SELECT
    'rg' AS topic, rg % (SELECT partitions FROM kept.meta) AS partition, "offset",
    moment("timestamp") AS "timestamp", moment("time") AS "time", type, rg, object, version,
    k.name AS store, actor, void
FROM said LEFT JOIN kept.stores k USING (store)
UNION ALL
SELECT 'rg', partition, "offset", moment("timestamp"), NULL, type, rg, NULL, NULL, NULL, NULL,
    'MISPLACED' FROM kept.misplaced
UNION ALL
SELECT 'map', 0, "offset", moment("timestamp"), moment("time"), 'MapChanged', NULL, NULL, NULL,
    NULL, author, CASE WHEN void IS NOT NULL THEN 'REFUSED' END FROM kept.map_events;
COMMENT ON VIEW events IS
'Every event of the log in one list. timestamp is the log''s own clock, time the appender''s; store
is the one that speaks or is spoken about; version an operation''s, or the one that holdings were
stated at.';

CREATE VIEW placement AS
SELECT p.rg, list('osd.' || p.osd ORDER BY p.place) AS placed,
    list(s.store ORDER BY p.place) AS stores,
    list(p.osd ORDER BY p.place) FILTER (o.is_up) AS acting,
    arg_min(s.store, p.place) FILTER (o.is_up) AS primary_store,
    arg_min(o.boot, p.place) FILTER (o.is_up) AS primary_boot
FROM kept.placement p
LEFT JOIN kept.osds o ON o.osd = p.osd AND o.until_epoch IS NULL
LEFT JOIN kept.stores s ON s.osd = o.osd AND s.incarnation = o.osd_incarnation
GROUP BY p.rg;
COMMENT ON VIEW placement IS 'Where the present map places every RG; acting: those that are up.';

CREATE VIEW rg_states AS
WITH last_claims AS (
    FROM kept.claims WHERE void IS NULL
    QUALIFY row_number() OVER (PARTITION BY rg ORDER BY "offset" DESC) = 1
),
claimed AS (
    SELECT c.rg, c."offset", c.ended_at, c.store, c.boot, c.replicas, c.min_replicas, c.rules,
        list(p.store ORDER BY p.place) AS stores
    FROM last_claims c LEFT JOIN kept.placed p ON p.rg = c.rg AND p.claim = c."offset"
    GROUP BY ALL
),
counts AS (
    SELECT f.rg, count(*) AS copies, count(*) FILTER (f.status = 'held') AS held,
        count(*) FILTER (f.status = 'held' AND f.store = m.primary_store) AS held_by_primary,
        count(*) FILTER (NOT list_contains(m.stores, f.store)) AS outside
    FROM kept.facts f LEFT JOIN placement m USING (rg)
    WHERE f.until_offset IS NULL GROUP BY f.rg
),
live AS (
    SELECT rg, count(*) FILTER (is_live) AS live, count(*) FILTER (NOT is_live AND copies > 0) AS tombstones,
        count(*) FILTER (is_live AND counted = 0) AS unheld,
        sum(size) FILTER (is_live) AS size
    FROM objects GROUP BY rg
),
epoch AS (FROM kept.maps ORDER BY from_epoch DESC LIMIT 1)
SELECT
    m.rg, rg_name(m.rg) AS name, coalesce(g.version, 0) AS version,
    coalesce(l.live, 0) AS live, coalesce(l.tombstones, 0) AS tombstones,
    coalesce(l.size, 0) AS size, coalesce(k.copies, 0) AS copies,
    m.placed, s.name AS claimed_by, position_of(m.rg, c."offset") AS claim,
    CASE
        WHEN m.acting IS NULL THEN 'unavailable'
        WHEN c.rg IS NULL THEN 'clean'
        WHEN c.ended_at IS NOT NULL
            OR (c.store, c.boot) IS DISTINCT FROM (m.primary_store, m.primary_boot)
            OR (c.stores, c.replicas, c.min_replicas, c.rules)
                IS DISTINCT FROM (m.stores, e.replicas, e.min_replicas, e.rules)
            THEN 'unclaimed'
        WHEN coalesce(k.held_by_primary, 0) < coalesce(l.live, 0) OR k.outside > 0 THEN 'importing'
        WHEN l.unheld > 0 OR len(m.acting) < len(m.placed) OR len(m.placed) < e.replicas
            OR coalesce(k.held, 0) < coalesce(l.live, 0) * e.replicas THEN 'degraded'
        ELSE 'clean'
    END AS state
FROM placement m
CROSS JOIN epoch e
LEFT JOIN kept.rgs g USING (rg)
LEFT JOIN claimed c USING (rg)
LEFT JOIN kept.stores s ON s.store = c.store
LEFT JOIN counts k ON k.rg = m.rg
LEFT JOIN live l ON l.rg = m.rg;
COMMENT ON VIEW rg_states IS
'Every RG as its primary by the present map would see it. unclaimed: the last claim has ended, or
the primary''s process did not make it, or made it for another map; unavailable: no placed store is
up. An RG without events is clean.';

CREATE MACRO copies_at(position) AS TABLE
SELECT * EXCLUDE (since, until, from_offset, until_offset) FROM copy_history
WHERE rg % (SELECT partitions FROM kept.meta) = partition_in(position)
    AND from_offset < offset_in(position)
    AND (until_offset IS NULL OR until_offset >= offset_in(position));

CREATE MACRO map_at(epoch) AS TABLE
SELECT * EXCLUDE (from_epoch, until_epoch) FROM kept.osds
WHERE from_epoch <= epoch AND (until_epoch IS NULL OR epoch < until_epoch);

CREATE MACRO changes_between(a, b) AS TABLE
FROM map_changes WHERE epoch > a AND epoch <= b;
COMMENT ON MACRO TABLE copies_at IS
'The copies of the RGs of one partition as of a position, as in copies_at(''rg/31@4''): after all
records before it.';
COMMENT ON MACRO TABLE map_at IS 'The OSDs of the map at an epoch, as in map_at(12).';
COMMENT ON MACRO TABLE changes_between IS
'The accepted map changes after one epoch and up to another, as in changes_between(3, 9).';
