//! `salon recorder` as a process in meetings of a real server: what is in its files is what people said.
//! Sound is decoded and asked for its tone; times are the recorder's own, so a busy machine is late and not wrong.

#[path = "support/node.rs"]
mod support;

#[path = "recorder/composites.rs"]
mod composites;
#[path = "support/disk.rs"]
mod disk;
#[path = "recorder/full.rs"]
mod full;
#[path = "recorder/ingest.rs"]
mod ingest;
#[path = "recorder/people.rs"]
mod people;
#[path = "support/ports.rs"]
mod ports;
#[path = "recorder/process.rs"]
mod process;
#[path = "support/receiver.rs"]
mod receiver;
#[path = "recorder/receivers.rs"]
mod receivers;
#[path = "recorder/sound.rs"]
mod sound;
#[path = "recorder/tones.rs"]
mod tones;
#[path = "recorder/tracks.rs"]
mod tracks;
#[path = "recorder/transcripts.rs"]
mod transcripts;
