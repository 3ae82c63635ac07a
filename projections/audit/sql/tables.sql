-- Tables of the audit database: what was said, and what became of it.
--
-- Rule: what was said stands in `said`, a table for each kind of event, in the event's own fields;
-- a row is written in the transaction that also moves `kept.positions`. What became of it stands in
-- `kept`, and is written in the transaction that also moves `kept.derived`.
-- `void` is the rule that made an event, or one item of it, change nothing;
-- null where it was accepted. `offset` is a place in the RG's own partition.
-- People read the views of the schema `main`; these tables may change.

-- A time in microseconds; null where it is none that anybody can write down.
CREATE MACRO moment(micros) AS CASE
    WHEN micros BETWEEN -9223372022400000000 AND 9223372036854775806 THEN make_timestamp(micros) END;

-- The first eight bytes of an MD5, little-endian. `md5_number_upper` is the same, four times slower.
CREATE MACRO md5_word(words) AS (md5_number(words) & 18446744073709551615)::UBIGINT;

CREATE SCHEMA said;
CREATE SCHEMA kept;
CREATE TYPE copy_status AS ENUM ('held', 'doomed', 'lost');
CREATE TYPE operation_kind AS ENUM ('put', 'delete', 'declared lost');

CREATE TABLE kept.meta (format INTEGER, cluster VARCHAR, partitions INTEGER, loads INTEGER);
CREATE TABLE kept.positions (
    topic VARCHAR, partition INTEGER, next_offset BIGINT, digest BLOB,
    stopped_at BIGINT, why VARCHAR
);
-- Up to where the facts of a partition's RGs are derived, and the first load that has more of it.
CREATE TABLE kept.derived (partition INTEGER, next_offset BIGINT, first_load INTEGER);
CREATE TABLE kept.rules (rule VARCHAR, meaning VARCHAR);

CREATE TABLE kept.stores (store INTEGER, osd INTEGER, incarnation BIGINT, name VARCHAR);
-- Lists of stores, which puts name again and again. Each store is also a list by itself, -1 - store.
CREATE TABLE kept.lists (list INTEGER, stores STRUCT(osd INTEGER, incarnation BIGINT)[]);
CREATE TABLE kept.listed (list INTEGER, store INTEGER);
CREATE TABLE kept.rgs (rg INTEGER, version BIGINT);
CREATE TABLE kept.objects (rg INTEGER, id BIGINT, first_offset BIGINT, object VARCHAR);
-- Who asks about one object asks by its name.
CREATE INDEX object_names ON kept.objects (object);
-- `gained`: where the last copy came to the store.
CREATE TABLE kept.ledgers (
    rg INTEGER, store INTEGER, rank HUGEINT, "count" BIGINT, digest HUGEINT, named BIGINT,
    gained BIGINT
);

-- `version`: the RG's where the claim stands; null where it is void.
CREATE TABLE kept.claims (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT,
    epoch BIGINT, "round" INTEGER, store INTEGER, boot BIGINT,
    replicas INTEGER, min_replicas INTEGER, rules INTEGER,
    next_offset BIGINT, digest BLOB, version BIGINT, ended_at BIGINT, void VARCHAR
);
CREATE TABLE kept.placed (rg INTEGER, claim BIGINT, place INTEGER, store INTEGER);
-- Accepted operations; what else they say is in `said`. `id` is the object's number in its RG.
CREATE TABLE kept.operations (
    rg INTEGER, "offset" BIGINT, "time" TIMESTAMP, kind operation_kind, id BIGINT, version BIGINT
);
-- Operations that changed nothing.
CREATE TABLE kept.voids (rg INTEGER, "offset" BIGINT, void VARCHAR);
CREATE TABLE kept.retirements (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, store INTEGER,
    epoch BIGINT, "round" INTEGER, by_store INTEGER, boot BIGINT,
    map_epoch BIGINT, why VARCHAR, void VARCHAR
);
CREATE TABLE kept.doomings (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, store INTEGER,
    epoch BIGINT, "round" INTEGER, by_store INTEGER, boot BIGINT, void VARCHAR
);
-- `is_ahead`: holdings stated at a version that no operation had made where they stand.
CREATE TABLE kept.statements (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, kind VARCHAR,
    store INTEGER, boot BIGINT, n BIGINT, version BIGINT, staged_from BIGINT,
    answers_epoch BIGINT, answers_round INTEGER, "count" BIGINT, digest BLOB,
    serves_epoch BIGINT, serves_round INTEGER, source INTEGER,
    gone BOOLEAN, why VARCHAR, attests BOOLEAN, agrees BOOLEAN, is_ahead BOOLEAN, void VARCHAR
);
-- Items of accepted events that changed nothing; all items are in `said`.
CREATE TABLE kept.item_voids (rg INTEGER, "offset" BIGINT, item INTEGER, void VARCHAR);
-- Copies that share their fate: one of each store of the list. Most have it in common until somebody
-- says something of one of them.
CREATE TABLE kept.fates (
    rg INTEGER, id BIGINT, list INTEGER, version BIGINT, status copy_status, bare BOOLEAN,
    from_offset BIGINT, until_offset BIGINT
);
CREATE VIEW kept.facts AS
SELECT f.rg, f.id, l.store, f.version, f.status, f.bare, f.from_offset, f.until_offset
FROM kept.fates f JOIN kept.listed l USING (list);
COMMENT ON VIEW kept.facts IS 'What is known of each single copy.';
CREATE TABLE kept.misplaced (
    rg INTEGER, partition INTEGER, "offset" BIGINT, "timestamp" BIGINT, type VARCHAR
);

CREATE TABLE kept.map_events (
    "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, author VARCHAR, reason VARCHAR,
    made_for_layout BIGINT, epoch BIGINT, layout BIGINT, moved_rgs BIGINT, void VARCHAR
);
CREATE TABLE kept.map_changes (
    "offset" BIGINT, number INTEGER, kind VARCHAR, osd INTEGER, rg INTEGER, change VARCHAR
);
CREATE TABLE kept.osds (
    from_epoch BIGINT, until_epoch BIGINT, osd INTEGER, osd_incarnation BIGINT, boot BIGINT,
    weight BIGINT, host VARCHAR, rack VARCHAR, is_up BOOLEAN, is_in BOOLEAN,
    is_leaving BOOLEAN, address VARCHAR
);
CREATE TABLE kept.maps (
    from_epoch BIGINT, layout BIGINT, replicas INTEGER, min_replicas INTEGER, rules INTEGER,
    rg_count INTEGER, partitions INTEGER
);
CREATE TABLE kept.retired_stores (
    osd INTEGER, incarnation BIGINT, epoch BIGINT, "by" VARCHAR, why VARCHAR
);
CREATE TABLE kept.placement (rg INTEGER, place INTEGER, osd INTEGER);
CREATE TABLE kept.skips (topic VARCHAR, partition INTEGER, "offset" BIGINT, sha256 BLOB);
