-- Sessions that ended, by the quarter of an hour (counted from the epoch) they were made in: every time zone's hours and days
-- are made of these. Added to in the transaction of their end, as `session_days` is.
create table session_quarters (
    app_id text not null,
    quarter integer not null,
    sessions integer not null,
    settled_ms integer not null,
    primary key (app_id, quarter)
) strict, without rowid;
insert into session_quarters (app_id, quarter, sessions, settled_ms)
select app_id, created_ms / 900000, count(*), sum(settled_ms) from sessions where ended_ms is not null
group by app_id, created_ms / 900000;
