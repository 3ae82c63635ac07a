-- Tables of the audit database: what was said, and what became of it.
--
-- Rule: a row is written in the transaction that also moves `log.positions`.
-- `void` is the rule that made an event, or one item of it, change nothing;
-- null where it was accepted. `offset` is a place in the RG's own partition.
-- People read the views of the schema `main`; these tables may change.

CREATE SCHEMA log;

CREATE TABLE log.meta (format INTEGER, cluster VARCHAR, partitions INTEGER);
CREATE TABLE log.positions (
    topic VARCHAR, partition INTEGER, next_offset BIGINT, digest BLOB,
    stopped_at BIGINT, why VARCHAR
);
CREATE TABLE log.rules (rule VARCHAR, meaning VARCHAR);

CREATE TABLE log.stores (store INTEGER, osd INTEGER, incarnation BIGINT, name VARCHAR);
CREATE TABLE log.rgs (rg INTEGER, version BIGINT);
CREATE TABLE log.objects (rg INTEGER, id BIGINT, object VARCHAR);
CREATE TABLE log.ledgers (
    rg INTEGER, store INTEGER, rank HUGEINT, "count" BIGINT, digest HUGEINT, named BIGINT
);

CREATE TABLE log.claims (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT,
    epoch BIGINT, "round" INTEGER, store INTEGER, boot BIGINT,
    replicas INTEGER, min_replicas INTEGER, rules INTEGER,
    next_offset BIGINT, digest BLOB, ended_at BIGINT, void VARCHAR
);
CREATE TABLE log.placed (rg INTEGER, claim BIGINT, place INTEGER, store INTEGER);
CREATE TABLE log.operations (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, kind VARCHAR,
    id BIGINT, object VARCHAR, version BIGINT, actor VARCHAR, request VARCHAR,
    epoch BIGINT, "round" INTEGER, store INTEGER, boot BIGINT, serial BIGINT,
    size BIGINT, sha256 BLOB, media_type VARCHAR, metadata MAP(VARCHAR, VARCHAR),
    lost_version BIGINT, reason VARCHAR, void VARCHAR
);
CREATE TABLE log.put_stores (rg INTEGER, "offset" BIGINT, version BIGINT, store INTEGER);
CREATE TABLE log.retirements (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, store INTEGER,
    epoch BIGINT, "round" INTEGER, by_store INTEGER, boot BIGINT,
    map_epoch BIGINT, why VARCHAR, void VARCHAR
);
CREATE TABLE log.doomings (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, store INTEGER,
    epoch BIGINT, "round" INTEGER, by_store INTEGER, boot BIGINT, void VARCHAR
);
CREATE TABLE log.statements (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, kind VARCHAR,
    store INTEGER, boot BIGINT, n BIGINT, version BIGINT, staged_from BIGINT,
    answers_epoch BIGINT, answers_round INTEGER, "count" BIGINT, digest BLOB,
    serves_epoch BIGINT, serves_round INTEGER, source INTEGER,
    gone BOOLEAN, why VARCHAR, attests BOOLEAN, agrees BOOLEAN, void VARCHAR
);
CREATE TABLE log.items (
    rg INTEGER, "offset" BIGINT, item INTEGER, kind VARCHAR, store INTEGER,
    version BIGINT, id BIGINT, void VARCHAR
);
CREATE TABLE log.facts (
    rg INTEGER, id BIGINT, store INTEGER, version BIGINT, status VARCHAR, bare BOOLEAN,
    from_offset BIGINT, until_offset BIGINT
);
CREATE TABLE log.misplaced (
    rg INTEGER, partition INTEGER, "offset" BIGINT, "timestamp" BIGINT, type VARCHAR
);

CREATE TABLE log.map_events (
    "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, author VARCHAR, reason VARCHAR,
    made_for_layout BIGINT, epoch BIGINT, layout BIGINT, moved_rgs BIGINT, void VARCHAR
);
CREATE TABLE log.map_changes (
    "offset" BIGINT, number INTEGER, kind VARCHAR, osd INTEGER, rg INTEGER, change VARCHAR
);
CREATE TABLE log.osds (
    from_epoch BIGINT, until_epoch BIGINT, osd INTEGER, osd_incarnation BIGINT, boot BIGINT,
    weight BIGINT, host VARCHAR, rack VARCHAR, is_up BOOLEAN, is_in BOOLEAN,
    is_leaving BOOLEAN, address VARCHAR
);
CREATE TABLE log.maps (
    from_epoch BIGINT, layout BIGINT, replicas INTEGER, min_replicas INTEGER, rules INTEGER,
    rg_count INTEGER, partitions INTEGER
);
CREATE TABLE log.retired_stores (
    osd INTEGER, incarnation BIGINT, epoch BIGINT, "by" VARCHAR, why VARCHAR
);
CREATE TABLE log.placement (rg INTEGER, place INTEGER, osd INTEGER);
CREATE TABLE log.skips (topic VARCHAR, partition INTEGER, "offset" BIGINT, sha256 BLOB);
