//! The store as its users see it, the same tests on SQLite and on Postgres.
//! `bed.rs` makes a fresh database for each test, `postgres.rs` the server for those of Postgres.
//! One binary, so that one server serves all tests.

mod bed;
mod postgres;
mod script;

mod admission;
mod appends;
mod audit;
mod chat_files;
mod connected;
mod crash;
mod edits;
mod entrance;
mod erasure;
mod history;
mod keys;
mod lists;
mod livestreams;
mod nodes;
mod opening;
mod peer_quality;
mod recordings;
mod retention;
mod rows;
mod sessions;
mod transcripts;
mod webhooks;
