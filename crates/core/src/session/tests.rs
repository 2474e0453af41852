//! Tests of the session: meetings as minutes, and rules one by one.
//! `minutes.rs` writes down who did what and who was told; the others are grouped by what they ask.

mod bounds;
mod chat;
mod connected;
mod gone_and_back;
mod media;
mod meetings;
mod minutes;
mod permissions;
mod pins;
mod polls;
mod secrecy;
mod stage;
mod stores;
mod waiting;

use minutes::track;
