-- The run at whose node whoever comes gathers before a session begins; good for as long as that node lives.
alter table meetings add column home_run text;
