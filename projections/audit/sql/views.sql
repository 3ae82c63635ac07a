-- What people ask: views and macros, each with a comment that says what it shows.
--
-- A position is written as the log writes it, `rg/31@4`; it is before the record that stands there.

CREATE MACRO moment(micros) AS make_timestamp(micros);
CREATE MACRO position_of(rg, o) AS
    'rg/' || rg % (SELECT partitions FROM log.meta) || '@' || o;
CREATE MACRO offset_in(position) AS split_part(position, '@', 2)::BIGINT;
CREATE MACRO partition_in(position) AS regexp_extract(position, '/(\d+)@', 1)::INTEGER;
CREATE MACRO rg_name(rg) AS printf('rg %x', rg);

CREATE MACRO operation_type(kind) AS CASE kind
    WHEN 'put' THEN 'ObjectPut' WHEN 'delete' THEN 'ObjectDeleted' ELSE 'ObjectDeclaredLost' END;
CREATE MACRO item_type(kind) AS CASE kind
    WHEN 'doom' THEN 'CopiesDoomed' WHEN 'import' THEN 'ObjectsImported'
    WHEN 'erase' THEN 'CopiesErased' ELSE 'CopiesLost' END;

CREATE VIEW rules AS SELECT rule, meaning FROM log.rules;
COMMENT ON VIEW rules IS 'The rules that make an event, or one item of it, change nothing.';

CREATE VIEW claims AS
SELECT
    c.rg, c."offset", position_of(c.rg, c."offset") AS position, moment(c."timestamp") AS "timestamp",
    c.epoch, c."round", s.name AS store, c.boot, c.replicas, c.min_replicas, c.rules,
    (
        SELECT list(k.name ORDER BY p.place) FROM log.placed p JOIN log.stores k USING (store)
        WHERE p.rg = c.rg AND p.claim = c."offset"
    ) AS placed,
    c.void, c.ended_at,
    lead(c."offset") OVER (PARTITION BY c.rg, c.void IS NULL ORDER BY c."offset") AS replaced_at
FROM log.claims c JOIN log.stores s USING (store);
COMMENT ON VIEW claims IS
'Every claim of an RG: who took it over, for which placed stores. It stands until the offset
replaced_at, or ended_at if an operation under it was out of sequence. void: the rule that refused it.';

CREATE VIEW ops AS
SELECT
    o.rg, o."offset", position_of(o.rg, o."offset") AS position,
    moment(o."timestamp") AS "timestamp", moment(o."time") AS "time",
    o.kind AS operation, o.object, o.version, o.size, lower(hex(o.sha256)) AS sha256, o.media_type,
    o.metadata, o.actor, o.request, o.lost_version, o.reason,
    o.epoch, o."round", s.name AS store, o.boot, o.serial, o.void
FROM log.operations o JOIN log.stores s USING (store);
COMMENT ON VIEW ops IS
'Every operation on an object that was said, accepted or void. actor: as the client says; nobody
is authenticated. epoch, round, store, boot: the claim it was said under.';

CREATE VIEW object_versions AS
SELECT
    o.object, o.rg, o.version,
    row_number() OVER (PARTITION BY o.rg, o.object ORDER BY o.version) AS revision,
    o.kind AS operation, o.size, lower(hex(o.sha256)) AS sha256, o.media_type, o.metadata,
    o.actor, o.request, moment(o."time") AS "time", position_of(o.rg, o."offset") AS position,
    CASE
        WHEN o.kind <> 'put' THEN 'deletion'
        WHEN lead(o.kind) OVER (PARTITION BY o.rg, o.object ORDER BY o.version) IS NULL THEN 'live'
        WHEN lead(o.kind) OVER (PARTITION BY o.rg, o.object ORDER BY o.version) = 'put'
        THEN 'superseded'
        ELSE 'deleted'
    END AS state
FROM log.operations o
WHERE o.void IS NULL;
COMMENT ON VIEW object_versions IS
'Every accepted version of every object. version counts the operations of the RG, revision those
of the object. state: live, superseded by a later put, deleted, or deletion for the delete itself.';

CREATE VIEW copy_history AS
SELECT
    f.rg, o.object, f.version, s.name AS store, s.osd, f.status, f.bare AS is_forgotten,
    position_of(f.rg, f.from_offset) AS since, position_of(f.rg, f.until_offset) AS until,
    f.from_offset, f.until_offset
FROM log.facts f JOIN log.stores s USING (store) JOIN log.objects o USING (rg, id);
COMMENT ON VIEW copy_history IS
'Who ever had which version of which object, and from where to where in the log: held, doomed (it
may go), or lost (bad, or perhaps not there). until is null for what is there now. is_forgotten:
the copy of a version that no operation and no other copy is about any more.';

CREATE VIEW copies AS
SELECT rg, object, version, store, osd, status, is_forgotten, since
FROM copy_history WHERE until_offset IS NULL;
COMMENT ON VIEW copies IS 'Who has which version of which object now. A copy counts if it is held.';

CREATE VIEW objects AS
SELECT
    o.rg, o.object, o.version, o.kind = 'put' AS is_live, o.size,
    coalesce(f.copies, 0) AS copies, coalesce(f.counted, 0) AS counted,
    moment(o."time") AS "time", position_of(o.rg, o."offset") AS position
FROM (
    FROM log.operations WHERE void IS NULL
    QUALIFY row_number() OVER (PARTITION BY rg, object ORDER BY version DESC) = 1
) o
LEFT JOIN (
    SELECT rg, id, count(*) AS copies, count(*) FILTER (status = 'held') AS counted
    FROM log.facts WHERE until_offset IS NULL AND NOT bare GROUP BY rg, id
) f ON f.rg = o.rg AND f.id = o.id;
COMMENT ON VIEW objects IS
'Every object that ever was, as its last operation left it; copies: known copies of any status,
counted: those that are held.';

CREATE VIEW holdings AS
SELECT
    h.rg, h."offset", position_of(h.rg, h."offset") AS position,
    moment(h."timestamp") AS "timestamp", s.name AS store, h.boot, h.version, h.staged_from,
    h.answers_epoch, h.answers_round, h."count", lower(hex(h.digest)) AS digest, h.attests,
    h.agrees, r.store IS NULL AND h.is_last AS is_last
FROM (
    SELECT *, row_number() OVER (PARTITION BY rg, store ORDER BY "offset" DESC) = 1 AS is_last
    FROM log.statements WHERE kind = 'HoldingsStated' AND void IS NULL
) h
JOIN log.stores s USING (store)
LEFT JOIN log.retirements r ON r.rg = h.rg AND r.store = h.store AND r.void IS NULL;
COMMENT ON VIEW holdings IS
'What stores said they have of an RG. attests: no later operation had named the store; agrees:
count and digest are those of the facts at that place. is_last: the newest of a store that is
not retired.';

CREATE VIEW transfers AS
SELECT
    t.rg, t."offset", position_of(t.rg, t."offset") AS position,
    moment(t."timestamp") AS "timestamp", o.object, i.version, o.size, f.name AS source,
    s.name AS store, t.serves_epoch, t.serves_round, i.void
FROM log.items i
JOIN log.statements t ON t.rg = i.rg AND t."offset" = i."offset"
JOIN log.stores s ON s.store = t.store
LEFT JOIN log.stores f ON f.store = t.source
LEFT JOIN log.operations o ON o.rg = i.rg AND o.version = i.version AND o.void IS NULL
WHERE i.kind = 'import';
COMMENT ON VIEW transfers IS
'Every copy that a store said it had fetched: from where, for which claim. source is null where
the bytes were there already.';

CREATE VIEW map_changes AS
SELECT
    e."offset", 'map/0@' || e."offset" AS position, moment(e."time") AS "time", e.author, e.reason,
    e.made_for_layout, e.epoch, e.layout, c.number, c.kind, c.osd, c.rg, c.change, e.moved_rgs,
    e.void
FROM log.map_events e JOIN log.map_changes c USING ("offset");
COMMENT ON VIEW map_changes IS
'Every change of the cluster map. Changes of one event apply together; epoch and layout are those
that it made, null with the reason in void where it was refused; moved_rgs: how many RGs the whole
event placed otherwise.';

CREATE VIEW osds_at_epoch AS
SELECT m.from_epoch AS epoch, o.* EXCLUDE (from_epoch, until_epoch)
FROM log.maps m JOIN log.osds o
    ON o.from_epoch <= m.from_epoch AND (o.until_epoch IS NULL OR m.from_epoch < o.until_epoch);
COMMENT ON VIEW osds_at_epoch IS
'The OSDs of the map at every epoch that an event made. weight in 1/65,536.';

CREATE VIEW misplaced_events AS
SELECT rg, partition, "offset", moment("timestamp") AS "timestamp", type FROM log.misplaced;
COMMENT ON VIEW misplaced_events IS
'Events that stand in another partition than their RG''s; nobody folds them.';

CREATE VIEW void_events AS
WITH found AS (
    SELECT rg, "offset", "timestamp", NULL::INTEGER AS item, 'RgClaimed' AS type, NULL::BIGINT AS version,
        NULL::VARCHAR AS object, store, void FROM log.claims
    UNION ALL
    SELECT rg, "offset", "timestamp", NULL, operation_type(kind), version, object, store, void
    FROM log.operations
    UNION ALL
    SELECT rg, "offset", "timestamp", NULL, 'StoreRetired', NULL, NULL, by_store, void
    FROM log.retirements
    UNION ALL
    SELECT rg, "offset", "timestamp", NULL, 'CopiesDoomed', NULL, NULL, by_store, void
    FROM log.doomings
    UNION ALL
    SELECT rg, "offset", "timestamp", NULL, kind, version, NULL, store, void FROM log.statements
    UNION ALL
    SELECT i.rg, i."offset", NULL, i.item, item_type(i.kind), i.version, o.object, i.store, i.void
    FROM log.items i LEFT JOIN log.objects o USING (rg, id)
)
SELECT
    'rg' AS topic, v.rg, v."offset", position_of(v.rg, v."offset") AS position,
    moment(v."timestamp") AS "timestamp", v.type, v.item, v.version, v.object, s.name AS store,
    v.void, r.meaning
FROM found v LEFT JOIN log.stores s USING (store) LEFT JOIN log.rules r ON r.rule = v.void
WHERE v.void IS NOT NULL
UNION ALL
SELECT 'map', NULL, "offset", 'map/0@' || "offset", moment("timestamp"), 'MapChanged', NULL, NULL,
    NULL, NULL, 'REFUSED', void
FROM log.map_events WHERE void IS NOT NULL
UNION ALL
SELECT 'rg', rg, "offset", 'rg/' || partition || '@' || "offset", moment("timestamp"), type, NULL,
    NULL, NULL, NULL, 'MISPLACED', 'it stands in the partition of another RG'
FROM log.misplaced;
COMMENT ON VIEW void_events IS
'What changed nothing, with the rule: whole events, and single items (item is then its number in
the event) of events that were accepted. Void is not wrong: a repeated claim, a late erasure.';

CREATE VIEW events AS
WITH said AS (
    SELECT rg, "offset", "timestamp", "time", 'RgClaimed' AS type, NULL::VARCHAR AS object,
        NULL::BIGINT AS version, store, NULL::VARCHAR AS actor, void FROM log.claims
    UNION ALL
    SELECT rg, "offset", "timestamp", "time", operation_type(kind), object, version, store, actor,
        void FROM log.operations
    UNION ALL
    SELECT rg, "offset", "timestamp", "time", 'StoreRetired', NULL, NULL, store, NULL, void
    FROM log.retirements
    UNION ALL
    SELECT rg, "offset", "timestamp", "time", 'CopiesDoomed', NULL, NULL, store, NULL, void
    FROM log.doomings
    UNION ALL
    SELECT rg, "offset", "timestamp", "time", kind, NULL, version, store, NULL, void
    FROM log.statements
)
SELECT
    'rg' AS topic, rg % (SELECT partitions FROM log.meta) AS partition, "offset",
    moment("timestamp") AS "timestamp", moment("time") AS "time", type, rg, object, version,
    k.name AS store, actor, void
FROM said LEFT JOIN log.stores k USING (store)
UNION ALL
SELECT 'rg', partition, "offset", moment("timestamp"), NULL, type, rg, NULL, NULL, NULL, NULL,
    'MISPLACED' FROM log.misplaced
UNION ALL
SELECT 'map', 0, "offset", moment("timestamp"), moment("time"), 'MapChanged', NULL, NULL, NULL,
    NULL, author, if(void IS NULL, NULL, 'REFUSED') FROM log.map_events;
COMMENT ON VIEW events IS
'Every event of the log in one list. timestamp is the log''s own clock, time the appender''s; store
is the one that speaks or is spoken about; version an operation''s, or the one that holdings were
stated at.';
