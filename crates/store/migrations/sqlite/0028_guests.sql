-- People whose media this node has and whose sessions are on others, as it last said.
alter table nodes add column guests integer not null default 0;
