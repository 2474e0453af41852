//! Why something was not done.
//! Invariant: ordered by what tells most, so that an unknown peer is not told what it may not do.

use std::fmt;

/// Why something was not done, most telling reason first: an unknown peer is not told what it may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// No session is live.
    NoSession,
    /// The caller has not joined, or is out again.
    NotJoined,
    /// The caller was put out while its connection was broken, and comes back as if it had not been.
    PutOut,
    /// The named peer is not here.
    UnknownPeer,
    /// The named person is not here.
    UnknownParticipant,
    /// The named track is not published by that peer.
    UnknownTrack,
    /// The named message of the chat is gone, never was, or is not the caller's to read.
    UnknownMessage,
    /// The named poll is not in this session, or has no such option.
    UnknownPoll,
    /// The named meeting is not one of those connected with this one.
    UnknownMeeting,
    /// The named recording is over, or never was in this session.
    UnknownRecording,
    /// The peer id belongs to another participant of this session.
    PeerIdTaken,
    /// The track id is in use in this session: track ids are the server's own, so this is its mistake.
    TrackIdTaken,
    /// The meeting does not accept joins.
    MeetingInactive,
    /// The preset does not allow it.
    NotAllowed,
    /// It was settled when the person came in.
    Settled,
    /// Only people on stage may do this.
    OffStage,
    /// A host has forbidden people to switch their microphones on.
    Muted,
    /// A poll needs a question and at least two options, none of them blank.
    Incomplete,
    /// A name shows something, on one line, and turns no other text around.
    BadName,
    /// A connected meeting needs a title.
    Untitled,
    /// Each participant votes once in a poll.
    AlreadyVoted,
    /// They were just sent to another meeting.
    OnTheWay,
    /// One recording of a kind at a time, unless others were asked for.
    AlreadyRecording,
    AlreadyStreaming,
    /// What does not run can neither be paused nor go on.
    NotRecording,
    /// The session's record holds as much as it may.
    RecordFull,
    /// The session has as many peers, or as many screens are shared, as the limits allow.
    Full,
    /// Too much, or too long.
    TooLarge,
    /// More often than the product's limits allow.
    TooOften,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NoSession => "no session is live in this meeting",
            Refusal::NotJoined => "join the meeting first",
            Refusal::PutOut => "you were removed from this meeting",
            Refusal::UnknownPeer => "no such peer in this session",
            Refusal::UnknownParticipant => "no such participant in this session",
            Refusal::UnknownTrack => "no such track in this session",
            Refusal::UnknownMessage => "no such message in this session",
            Refusal::UnknownPoll => "no such poll, or no such option",
            Refusal::UnknownMeeting => "no such connected meeting",
            Refusal::UnknownRecording => "no such recording in this session",
            Refusal::PeerIdTaken => "this peer id belongs to somebody else",
            Refusal::TrackIdTaken => "this track id is in use",
            Refusal::MeetingInactive => "the meeting is inactive and accepts nobody",
            Refusal::NotAllowed => "the preset does not allow this",
            Refusal::Settled => "who is hidden or a robot stays so while in the meeting",
            Refusal::OffStage => "only people on stage may do this",
            Refusal::Muted => "a host has muted everyone",
            Refusal::Incomplete => "a poll needs a question and at least two options",
            Refusal::BadName => "a name needs visible characters, and no line breaks, control or direction characters",
            Refusal::Untitled => "a connected meeting needs a title",
            Refusal::OnTheWay => "they are on the way to another meeting",
            Refusal::AlreadyRecording => "the meeting is being recorded already",
            Refusal::AlreadyStreaming => "the meeting is being streamed already",
            Refusal::NotRecording => "the recording has not begun yet, or is about to stop",
            Refusal::AlreadyVoted => "you have voted in this poll",
            Refusal::RecordFull => "so much has happened in this session that nothing more can be kept; you may still leave, remove people and end it",
            Refusal::Full => "the limit of this session is reached",
            Refusal::TooLarge => "the message is too large",
            Refusal::TooOften => "too many of these in a short time; try again in a moment",
        })
    }
}

impl std::error::Error for Refusal {}
