-- Small functions that the writing of the audit database shares.

-- Where an item stands among all items of its RG; events list at most 1,000, from 1.
CREATE OR REPLACE TEMP MACRO at_item(o, item) AS o * 1024 + item;
CREATE OR REPLACE TEMP MACRO offset_of(moment) AS moment // 1024;
-- Some records, of which the changes of holdings are added up.
CREATE OR REPLACE TEMP MACRO block_of(o) AS o // 64;
-- Later than everything.
CREATE OR REPLACE TEMP MACRO never() AS 9223372036854775807;
-- The list of one store.
CREATE OR REPLACE TEMP MACRO list_of(store) AS -1 - store;
-- Pairs as one number, in their order.
CREATE OR REPLACE TEMP MACRO rank_of(epoch, r) AS epoch::HUGEINT * 4294967296 + r;
CREATE OR REPLACE TEMP MACRO rank_of_statement(boot, n) AS boot::HUGEINT * 9223372036854775808 + n;
-- Holdings: see `projections.holdings`. A sum may be below 0 or above 2^64 while it is kept.
CREATE OR REPLACE TEMP MACRO weight_of(rg, version) AS md5_word(rg || ':' || version);
CREATE OR REPLACE TEMP MACRO net(sign, weight) AS
    coalesce(sum(weight) FILTER (sign > 0), 0) - coalesce(sum(weight) FILTER (sign < 0), 0);
CREATE OR REPLACE TEMP MACRO digest_sum(digest) AS
    ((digest % 18446744073709551616) + 18446744073709551616) % 18446744073709551616;
CREATE OR REPLACE TEMP MACRO digest_number(digest) AS (
    '0x' || list_aggregate(list_reverse(list_transform(range(8), lambda n: hex(digest)[2 * n + 1:2 * n + 2])), 'string_agg', '')
)::UBIGINT;
