//! Tests of the session: meetings as minutes, and rules one by one.
//! `minutes.rs` writes down who did what and who was told; the others are grouped by what they ask.

mod bounds;
mod changed_permissions;
mod chat;
mod connected;
mod gone_and_back;
mod handed_over;
mod kept_chat;
mod leftovers;
mod media;
mod meetings;
mod minutes;
mod permissions;
mod pins;
mod polls;
mod recordings;
mod robots;
mod secrecy;
mod selection;
mod shares;
mod stage;
mod stores;
mod transcripts;
mod uploads;
mod waiting;

use minutes::track;
