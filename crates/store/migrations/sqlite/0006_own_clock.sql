-- When the run was last seen by its own clock, by which it has recorded its sessions. `seen_ms` is by the clock that nodes share.
alter table nodes add column own_ms integer;
