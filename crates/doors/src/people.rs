//! Who is in a session, from what its record says: all of them, and what one event changed of that.
//! Invariant: the same record gives the same words, whoever folded it; the people as of one event with the changes after it
//! are those as of a later one, byte for byte.
//! Next: `rest/people.rs` tells them; `rest/watching.rs` tells the changes.

use salon_core::event::{EndReason, LeaveReason, StageWish, TrackKind};
use salon_core::permission::Source;
use salon_core::record::{Peer, Presence};
use salon_core::session::WaitingView;
use salon_core::{Event, EventBody, PeerId, Record, Summary, Timestamp};
use salon_quality::{Judged, Standing, Word, Worst};
use salon_wire::rest::live_sessions::{LiveSession, Worst as WireWorst};
use salon_wire::rest::people as wire;

use crate::rfc3339::rfc3339;

/// Everyone who is in, with the minutes up to `at`.
pub fn people(record: &Record, at: Timestamp, minutes_consumed: f64) -> wire::People {
    wire::People {
        session_id: record.started.session.to_string(),
        meeting_id: record.started.meeting.to_string(),
        seq: record.people_seq,
        at: rfc3339(at),
        started_at: rfc3339(record.started.started_at),
        minutes_consumed,
        counts: counts(&record.summary()),
        people: record.present().map(person).collect(),
        waiting: None,
        quality: None,
        elsewhere: None,
        next_after: None,
        reset: None,
    }
}

/// What an event changed, after which the record is as it is; `prev` is the `people_seq` before it. None of an event that
/// shows nobody otherwise.
pub fn change(prev: u64, record: &Record, event: &Event) -> Option<wire::PeopleChange> {
    let kind = kind(&event.body)?;
    let peer = record.peers.get(event.body.shows_otherwise()?)?;
    Some(wire::PeopleChange {
        session_id: record.started.session.to_string(),
        seq: event.seq,
        prev,
        at: rfc3339(event.at),
        kind,
        counts: counts(&record.summary()),
        person: person(peer),
    })
}

/// The end of a session, once it has one.
pub fn ended(prev: u64, record: &Record) -> Option<wire::PeopleEnded> {
    let ended = record.ended?;
    Some(wire::PeopleEnded {
        session_id: record.started.session.to_string(),
        seq: record.people_seq,
        prev,
        ended_at: rfc3339(ended.at),
        reason: ended_because(ended.reason),
        counts: counts(&record.summary()),
    })
}

/// How good somebody's call is.
pub fn quality(peer: &PeerId, standing: &Standing) -> wire::PersonQuality {
    let judged = |judged: Option<Judged>| {
        judged.map(|judged| wire::Judged {
            word: judged.word.name().to_owned(),
            score: judged.score.map(|score| f64::from(score) / 100.0),
            because: judged.why.map(|why| why.name().to_owned()),
        })
    };
    wire::PersonQuality {
        peer_id: peer.to_string(),
        sound_in: judged(standing.sound_in),
        sound_out: judged(standing.sound_out),
        picture_in: judged(standing.picture_in),
        picture_out: judged(standing.picture_out),
        rtt_ms: standing.rtt_ms,
        packet_loss: standing.loss.map(|loss| f64::from(loss) / 1_000.0),
        available_bitrate: standing.carries.map(|kilobits| u64::from(kilobits) * 1_000),
    }
}

/// Somebody who waits to be let in.
pub fn waiting(view: &WaitingView) -> wire::Waiting {
    wire::Waiting {
        peer_id: view.peer.to_string(),
        participant_id: view.participant.to_string(),
        custom_participant_id: view.custom_participant_id.clone(),
        display_name: view.name.clone(),
        preset_name: view.preset_name.clone(),
    }
}

/// What is known of a live session beside its record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    pub recording: bool,
    /// None while the node that runs it does not tell.
    pub waiting: Option<u64>,
    pub worst: Option<Worst>,
}

/// A live session, as it stood after its last event.
pub fn live_session(summary: &Summary, node: &str, marks: Marks) -> LiveSession {
    LiveSession {
        session_id: summary.session.to_string(),
        meeting_id: summary.meeting.to_string(),
        title: summary.title.clone(),
        seq: summary.seq,
        counts: counts(summary),
        started_at: rfc3339(summary.started_at),
        updated_at: rfc3339(summary.updated_at),
        node: node.to_owned(),
        recording: marks.recording,
        waiting: marks.waiting,
        worst: marks.worst.map(worst),
        parent_session_id: summary.parent_session.as_ref().map(ToString::to_string),
    }
}

/// How the worst calls are.
pub fn worst(worst: Worst) -> WireWorst {
    let name = |word: Option<Word>| word.map(|word| word.name().to_owned());
    WireWorst { sound: name(worst.sound), picture: name(worst.picture), people: worst.people }
}

/// The same, as another node has told it. A word that this release does not know is none.
pub fn worst_told(told: &WireWorst) -> Worst {
    let word = |name: &Option<String>| name.as_deref().and_then(Word::named);
    Worst { sound: word(&told.sound), picture: word(&told.picture), people: told.people }
}

fn counts(summary: &Summary) -> wire::Counts {
    wire::Counts {
        live_participants: summary.live.into(),
        max_concurrent_participants: summary.max_concurrent.into(),
        total_participants: summary.participants.into(),
        settled_ms: summary.settled_ms,
        live_since_sum_ms: summary.live_since_ms,
    }
}

fn person(peer: &Peer) -> wire::Person {
    let who = &peer.who;
    let came_at = peer.stays.last().map_or(peer.first_joined_at, |(came, _)| *came);
    let (state, since, last_seen_at, left) = match peer.presence {
        Presence::Connected { since } => (wire::PersonState::Connected, since, None, None),
        Presence::Disconnected { since, seen, .. } => (wire::PersonState::Grace, since, Some(seen), None),
        Presence::Left { at, reason } => (wire::PersonState::Left, came_at, None, Some((at, reason))),
    };
    wire::Person {
        peer_id: who.peer.to_string(),
        participant_id: who.participant.to_string(),
        custom_participant_id: who.custom_participant_id.clone(),
        display_name: who.name.clone(),
        picture: who.picture.clone(),
        preset_name: who.preset_name.clone(),
        order: peer.order,
        state,
        counts: peer.counts(),
        hidden: who.hidden,
        robot: peer.is_robot(),
        joined_at: rfc3339(peer.first_joined_at),
        since: rfc3339(since),
        last_seen_at: last_seen_at.map(rfc3339),
        left_at: left.map(|(at, _)| rfc3339(at)),
        reason: left.map(|(_, reason)| left_because(reason)),
        stage: match peer.stage_wish {
            _ if who.on_stage => wire::OnStage::On,
            None => wire::OnStage::Off,
            Some(StageWish::Asks) => wire::OnStage::Asks,
            Some(StageWish::CalledUp) => wire::OnStage::CalledUp,
        },
        microphone: device(peer, Source::Microphone),
        camera: device(peer, Source::Camera),
        screen: device(peer, Source::Screen),
        tracks: None,
    }
}

/// What comes of a source. A screen may have sound of its own, which says nothing while its picture is there.
fn device(peer: &Peer, source: Source) -> Option<wire::Device> {
    let of_source = || peer.tracks.values().filter(|track| Source::of(track.kind, track.screen_share) == source);
    of_source().next()?;
    let pictures = || of_source().filter(|track| track.kind == TrackKind::Video);
    let is_on = match pictures().next() {
        Some(_) => pictures().any(|track| !track.paused),
        None => of_source().any(|track| !track.paused),
    };
    let by = match peer.off_by_others.contains(&source) {
        true => wire::SwitchedBy::Other,
        false => wire::SwitchedBy::Itself,
    };
    Some(match is_on {
        true => wire::Device { state: wire::OnOrOff::On, by: None },
        false => wire::Device { state: wire::OnOrOff::Off, by: Some(by) },
    })
}

/// Why a session ended.
pub fn ended_because(reason: EndReason) -> wire::EndedBecause {
    match reason {
        EndReason::AllLeft => wire::EndedBecause::AllLeft,
        EndReason::Closed => wire::EndedBecause::Closed,
    }
}

/// Why somebody left.
pub fn left_because(reason: LeaveReason) -> wire::LeftBecause {
    match reason {
        LeaveReason::Left => wire::LeftBecause::Left,
        LeaveReason::Lost => wire::LeftBecause::Lost,
        LeaveReason::Kicked => wire::LeftBecause::Kicked,
        LeaveReason::Deleted => wire::LeftBecause::Deleted,
        LeaveReason::Ended => wire::LeftBecause::Ended,
    }
}

fn kind(body: &EventBody) -> Option<wire::ChangeKind> {
    Some(match body {
        EventBody::PeerJoined(_) => wire::ChangeKind::PeerJoined,
        EventBody::PeerDisconnected { .. } => wire::ChangeKind::PeerDisconnected,
        EventBody::PeerReconnected { .. } => wire::ChangeKind::PeerReconnected,
        EventBody::PeerLeft { .. } => wire::ChangeKind::PeerLeft,
        EventBody::PeerRenamed { .. } => wire::ChangeKind::PeerRenamed,
        EventBody::TrackPublished { .. } => wire::ChangeKind::TrackPublished,
        EventBody::TrackPaused { paused: true, .. } => wire::ChangeKind::TrackPaused,
        EventBody::TrackPaused { paused: false, .. } => wire::ChangeKind::TrackResumed,
        EventBody::TrackUnpublished { .. } => wire::ChangeKind::TrackUnpublished,
        EventBody::Silenced { .. } => wire::ChangeKind::Silenced,
        EventBody::StageChanged { .. } => wire::ChangeKind::StageChanged,
        EventBody::StageWished { .. } => wire::ChangeKind::StageWished,
        _ => return None,
    })
}
