//! What a session has written: its next events, and what they add up to.
//! Next: `writer.rs`, which writes it.

use salon_core::{Event, Notice, Summary};

use crate::acting::Act;
use crate::peer_row::PeerRow;
use crate::run_id::RunId;

/// What one caller wants written, all or nothing: the events of a session, or the end of one and the start of the
/// next of the same meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// Who says so.
    pub run: RunId,
    /// In this order; an end comes before the start that it makes room for.
    pub sessions: Vec<SessionAppend>,
    /// What of it the audit log is to say, in this order: written with the events, or not at all.
    pub acts: Vec<Act>,
}

/// The next events of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionAppend {
    /// The epoch at which `run` owns the session. A session that begins, begins with the epoch given here.
    pub epoch: i64,
    /// They follow the last one stored without a gap. Event 1 begins a session.
    pub events: Vec<Event>,
    /// What those outside are to be told of these events: written with them, or not at all.
    pub notices: Vec<Notice>,
    /// Where those of its peers are whom the events concern: the rows that [`PeerRow::changed`] makes of them.
    pub peers: Vec<PeerRow>,
    /// What the record adds up to after the last of them.
    pub summary: Summary,
}
