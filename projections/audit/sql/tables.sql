-- Tables of the audit database: what was said, and what became of it.
--
-- Rule: a row is written in the transaction that also moves `kept.positions`.
-- `void` is the rule that made an event, or one item of it, change nothing;
-- null where it was accepted. `offset` is a place in the RG's own partition.
-- People read the views of the schema `main`; these tables may change.

CREATE SCHEMA kept;

CREATE TABLE kept.meta (format INTEGER, cluster VARCHAR, partitions INTEGER);
CREATE TABLE kept.positions (
    topic VARCHAR, partition INTEGER, next_offset BIGINT, digest BLOB,
    stopped_at BIGINT, why VARCHAR
);
CREATE TABLE kept.rules (rule VARCHAR, meaning VARCHAR);

CREATE TABLE kept.stores (store INTEGER, osd INTEGER, incarnation BIGINT, name VARCHAR);
CREATE TABLE kept.rgs (rg INTEGER, version BIGINT);
CREATE TABLE kept.objects (rg INTEGER, id BIGINT, object VARCHAR);
CREATE TABLE kept.ledgers (
    rg INTEGER, store INTEGER, rank HUGEINT, "count" BIGINT, digest HUGEINT, named BIGINT
);

CREATE TABLE kept.claims (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT,
    epoch BIGINT, "round" INTEGER, store INTEGER, boot BIGINT,
    replicas INTEGER, min_replicas INTEGER, rules INTEGER,
    next_offset BIGINT, digest BLOB, ended_at BIGINT, void VARCHAR
);
CREATE TABLE kept.placed (rg INTEGER, claim BIGINT, place INTEGER, store INTEGER);
CREATE TABLE kept.operations (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, kind VARCHAR,
    id BIGINT, object VARCHAR, version BIGINT, actor VARCHAR, request VARCHAR,
    epoch BIGINT, "round" INTEGER, store INTEGER, boot BIGINT, serial BIGINT,
    size BIGINT, sha256 BLOB, media_type VARCHAR, metadata MAP(VARCHAR, VARCHAR),
    lost_version BIGINT, reason VARCHAR, void VARCHAR
);
CREATE TABLE kept.put_stores (rg INTEGER, "offset" BIGINT, version BIGINT, store INTEGER);
CREATE TABLE kept.retirements (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, store INTEGER,
    epoch BIGINT, "round" INTEGER, by_store INTEGER, boot BIGINT,
    map_epoch BIGINT, why VARCHAR, void VARCHAR
);
CREATE TABLE kept.doomings (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, store INTEGER,
    epoch BIGINT, "round" INTEGER, by_store INTEGER, boot BIGINT, void VARCHAR
);
CREATE TABLE kept.statements (
    rg INTEGER, "offset" BIGINT, "timestamp" BIGINT, "time" BIGINT, kind VARCHAR,
    store INTEGER, boot BIGINT, n BIGINT, version BIGINT, staged_from BIGINT,
    answers_epoch BIGINT, answers_round INTEGER, "count" BIGINT, digest BLOB,
    serves_epoch BIGINT, serves_round INTEGER, source INTEGER,
    gone BOOLEAN, why VARCHAR, attests BOOLEAN, agrees BOOLEAN, void VARCHAR
);
CREATE TABLE kept.items (
    rg INTEGER, "offset" BIGINT, item INTEGER, kind VARCHAR, store INTEGER,
    version BIGINT, id BIGINT, void VARCHAR
);
CREATE TABLE kept.facts (
    rg INTEGER, id BIGINT, store INTEGER, version BIGINT, status VARCHAR, bare BOOLEAN,
    from_offset BIGINT, until_offset BIGINT
);
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
