-- People whose media this node has and whose sessions are on others, as it last said.
alter table nodes add column guests bigint not null default 0;
