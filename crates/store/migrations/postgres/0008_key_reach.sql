-- What a key may do, where, and until when. A key without an id is from before there were ids: its id is made of its hash.
alter table api_keys add column id text;
-- read, manage.
alter table api_keys add column scope text not null default 'manage';
-- The only app it is for; null is all of the account's.
alter table api_keys add column app_id text;
alter table api_keys add column expires_ms bigint;
-- When it was last used, give or take an hour.
alter table api_keys add column used_ms bigint;
-- Its secret before this one, and until when that is good too.
alter table api_keys add column former_hash bytea;
alter table api_keys add column former_until_ms bigint;
create unique index api_keys_former on api_keys (former_hash) where former_hash is not null;
