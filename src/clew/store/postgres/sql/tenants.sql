-- name: add
-- Make the tenant if it is new, with the random mark that tells this database from another one at the same address.
INSERT INTO clew.tenants (tenant, identity) VALUES ($1, $2::bytea) ON CONFLICT (tenant) DO NOTHING;

-- name: identity
-- The random mark of the tenant in this database.
SELECT identity FROM clew.tenants WHERE tenant = $1;

-- name: describe
-- The bytes of all tables with their indexes, and the number of the schema, which are the same for every tenant.
SELECT (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relnamespace = 'clew'::regnamespace AND relkind IN ('r', 'p')),
       clew.schema_number() WHERE $1::text IS NOT NULL;
