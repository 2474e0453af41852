//! Recordings and livestreams of the session: who may have one, one at a time, and when it is over.
//! Invariant: what people are told runs does run: whoever records says so first. One that never begins, or is not heard to
//! have stopped, is over after a while all the same, and all are over with the session.
//! What is recorded, and where it goes, is somebody else's.
//! Next: `record/recordings.rs`.

use crate::event::{EventBody, RecordedBy, RecordingEnd, RecordingInvoked, RecordingKind};
use crate::ids::{ParticipantId, RecordingId};
use crate::limits::{
    LIVESTREAM_BEGINS_WITHIN_MS, MAX_RECORDING_ERROR_CHARS, MAX_RECORDINGS, RECORDING_BEGINS_WITHIN_MS, RECORDING_STOPS_WITHIN_MS,
};
use crate::record::{Record, Recording, RecordingState};
use crate::session::rate::Act;
use crate::session::{LivestreamNews, Message, Output, RecordingNews, Refusal, Session};
use crate::time::Timestamp;

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecording {
    pub id: RecordingId,
    pub kind: RecordingKind,
    /// How long it may run, in milliseconds.
    pub max_ms: i64,
    /// Whether it may run beside others of its kind.
    pub beside_others: bool,
}

impl Session {
    /// Has the session recorded. It is starting until [`Session::recording_began`].
    ///
    /// # Errors
    /// `NoSession`, `NotJoined` for a participant who is not in, `NotAllowed` without leave to record or to stream,
    /// `AlreadyRecording`, `AlreadyStreaming`, `Full`, `TooOften`, `RecordFull`.
    pub fn start_recording(&mut self, now: Timestamp, by: &RecordedBy, new: NewRecording) -> Result<(), Refusal> {
        self.tick(now);
        self.may_record(by, new.kind)?;
        let recordings = &self.live().ok_or(Refusal::NoSession)?.recordings;
        if !new.beside_others && recordings.iter().any(|other| other.asked.kind == new.kind) {
            return Err(match new.kind {
                RecordingKind::Livestream => Refusal::AlreadyStreaming,
                RecordingKind::Composite | RecordingKind::Track => Refusal::AlreadyRecording,
            });
        }
        if recordings.len() >= MAX_RECORDINGS {
            return Err(Refusal::Full);
        }
        self.take_recording_rate(by)?;
        let NewRecording { id: recording, kind, max_ms, .. } = new;
        self.emit(EventBody::RecordingInvoked(RecordingInvoked { recording, kind, by: by.clone(), max_ms }));
        Ok(())
    }

    /// Whether a recording may be paused or go on, also where it is so already.
    ///
    /// # Errors
    /// As [`Session::start_recording`]; `UnknownRecording`, `NotRecording` while it is starting or stopping.
    pub fn may_pause_recording(&mut self, now: Timestamp, by: &RecordedBy, id: &RecordingId) -> Result<(), Refusal> {
        self.tick(now);
        self.may_record(by, RecordingKind::Composite)?;
        match self.takes(id).ok_or(Refusal::UnknownRecording)?.state {
            RecordingState::Running { .. } | RecordingState::Paused { .. } => self.take_recording_rate(by),
            RecordingState::Starting { .. } | RecordingState::Stopping { .. } => Err(Refusal::NotRecording),
        }
    }

    /// Has a recording stop. One that is stopping already goes on doing so.
    ///
    /// # Errors
    /// `NoSession`, `NotJoined`, `NotAllowed`, `UnknownRecording`. A full record is no reason against it.
    pub fn stop_recording(&mut self, now: Timestamp, by: &RecordedBy, id: &RecordingId) -> Result<(), Refusal> {
        self.tick(now);
        let kind = self.recording(id).map_or(RecordingKind::Composite, |found| found.asked.kind);
        self.may_record(by, kind)?;
        let found = self.recording(id).ok_or(Refusal::UnknownRecording)?;
        if !matches!(found.state, RecordingState::Stopping { .. }) {
            self.have_stop(id.clone(), RecordingEnd::Asked(by.clone()));
        }
        Ok(())
    }

    /// Has the livestream stop. Where none is, whoever asks is told so: their client waits to hear that it is over. The one that
    /// stops, if there is one.
    ///
    /// # Errors
    /// `NoSession`, `NotJoined`, `NotAllowed`.
    pub fn stop_livestream(&mut self, now: Timestamp, by: &RecordedBy) -> Result<Option<RecordingId>, Refusal> {
        self.tick(now);
        self.may_record(by, RecordingKind::Livestream)?;
        let found = self.livestream().map(|found| (found.asked.recording.clone(), found.state.clone()));
        match (found, by) {
            (Some((id, RecordingState::Stopping { .. })), _) => Ok(Some(id)),
            (Some((id, _)), _) => {
                self.have_stop(id.clone(), RecordingEnd::Asked(by.clone()));
                Ok(Some(id))
            }
            (None, RecordedBy::Participant(participant)) => {
                self.take_recording_rate(by)?;
                self.tell_no_livestream(participant);
                Ok(None)
            }
            (None, _) => Ok(None),
        }
    }

    /// It can be watched, there. Nothing happens if it does not start any more.
    pub fn livestream_began(&mut self, now: Timestamp, id: &RecordingId, playback_url: &str) {
        self.tick(now);
        if self.recording(id).is_some_and(|found| matches!(found.state, RecordingState::Starting { .. })) {
            self.emit(EventBody::RecordingBegan { recording: id.clone() });
            let news = LivestreamNews::Live { livestream: id.clone(), playback_url: playback_url.to_owned() };
            self.send_all(None, &Message::Livestream(news));
        }
    }

    /// What is streamed comes from elsewhere, and is waited for, for the first time or again. That is no failure to begin.
    pub fn livestream_waits(&mut self, now: Timestamp, id: &RecordingId) {
        self.tick(now);
        if self.recording(id).is_some_and(|found| matches!(found.state, RecordingState::Starting { .. })) {
            self.emit(EventBody::RecordingBegan { recording: id.clone() });
        }
        if self.is_running(id) {
            self.send_all(None, &Message::Livestream(LivestreamNews::Awaited { livestream: id.clone() }));
        }
    }

    /// What was waited for has come, and can be watched there.
    pub fn livestream_came(&mut self, now: Timestamp, id: &RecordingId, playback_url: &str) {
        self.tick(now);
        if self.is_running(id) {
            let news = LivestreamNews::Live { livestream: id.clone(), playback_url: playback_url.to_owned() };
            self.send_all(None, &Message::Livestream(news));
        }
    }

    fn is_running(&self, id: &RecordingId) -> bool {
        self.recording(id).is_some_and(|found| matches!(found.state, RecordingState::Running { .. }))
    }

    /// So many watch the livestream, which runs.
    pub fn livestream_watched(&mut self, now: Timestamp, id: &RecordingId, viewers: u64) {
        self.tick(now);
        if self.is_running(id) {
            self.send_all(None, &Message::Livestream(LivestreamNews::Viewers(viewers)));
        }
    }

    /// Whether somebody is in, who may know then where the livestream is watched.
    pub fn may_watch(&self, participant: &ParticipantId) -> bool {
        self.live().is_some_and(|record| record.present().any(|peer| peer.who.participant == *participant))
    }

    /// Whether somebody is in who may start and stop a livestream, and be told with which key it is fed.
    pub fn may_stream(&self, participant: &ParticipantId) -> bool {
        self.may_record(&RecordedBy::Participant(participant.clone()), RecordingKind::Livestream).is_ok()
    }

    /// The livestream that is not over.
    pub fn livestream(&self) -> Option<&Recording> {
        self.live()?.recordings.iter().find(|found| found.asked.kind == RecordingKind::Livestream)
    }

    /// A client that was away may have missed that the livestream is over.
    pub(super) fn tell_missed_livestream(&mut self, participant: &ParticipantId) {
        if self.live().is_some_and(|record| record.recordings.was_streamed()) && self.livestream().is_none() {
            self.tell_no_livestream(participant);
        }
    }

    /// Tells those of their devices that are connected: who is away hears it on return.
    fn tell_no_livestream(&mut self, participant: &ParticipantId) {
        let here = self.live().into_iter().flat_map(Record::present).filter(|peer| peer.who.participant == *participant);
        let peers: Vec<_> = here.map(|peer| peer.who.peer.clone()).filter(|peer| self.roster.get(peer).is_some()).collect();
        for peer in peers {
            self.send(peer, Message::Livestream(LivestreamNews::Stopped { livestream: None }));
        }
    }

    /// It runs. Nothing happens if it does not start any more.
    pub fn recording_began(&mut self, now: Timestamp, id: &RecordingId) {
        self.tick(now);
        if self.takes(id).is_some_and(|found| matches!(found.state, RecordingState::Starting { .. })) {
            self.emit(EventBody::RecordingBegan { recording: id.clone() });
            self.tell_recording(id, RecordingNews::Running);
        }
    }

    /// It has paused, or runs again.
    pub fn recording_paused(&mut self, now: Timestamp, id: &RecordingId, paused: bool) {
        self.tick(now);
        let recording = id.clone();
        match self.takes(id).map(|found| &found.state) {
            Some(RecordingState::Running { .. }) if paused => {
                self.emit(EventBody::RecordingPaused { recording });
                self.tell_recording(id, RecordingNews::Paused);
            }
            Some(RecordingState::Paused { .. }) if !paused => {
                self.emit(EventBody::RecordingResumed { recording });
                self.tell_recording(id, RecordingNews::Running);
            }
            _ => {}
        }
    }

    /// Its last moment is recorded; with an error it failed, which people are told.
    pub fn recording_ended(&mut self, now: Timestamp, id: &RecordingId, error: Option<&str>) {
        self.tick(now);
        let Some(found) = self.recording(id) else { return };
        let why = match &found.state {
            RecordingState::Stopping { why, .. } => why.clone(),
            _ => RecordingEnd::Failed,
        };
        self.end_recording(id.clone(), why, error.map(str::to_owned));
    }

    /// What is being recorded, for those who come in.
    pub fn recordings(&self) -> Vec<Recording> {
        self.recordings_where(|found| found.asked.kind != RecordingKind::Livestream)
    }

    /// The same, unless it is a livestream, which does not pause and of which other things are told.
    fn takes(&self, id: &RecordingId) -> Option<&Recording> {
        self.recording(id).filter(|found| found.asked.kind != RecordingKind::Livestream)
    }

    /// A recording that is not over.
    pub fn recording(&self, id: &RecordingId) -> Option<&Recording> {
        self.live()?.recordings.get(id)
    }

    /// Whether a meeting that wants to be recorded so from its start on has yet to be.
    pub fn is_yet_to_be_recorded(&self, kind: RecordingKind) -> bool {
        self.live().is_some_and(|record| !record.recordings.begun_by_meeting(kind))
    }

    fn may_record(&self, by: &RecordedBy, kind: RecordingKind) -> Result<(), Refusal> {
        let RecordedBy::Participant(participant) = by else { return Ok(()) };
        let record = self.live().ok_or(Refusal::NoSession)?;
        let here = record.present().filter(|peer| peer.who.participant == *participant);
        let members = here.filter_map(|peer| self.roster.get(&peer.who.peer));
        let leaves = members.map(|member| match kind {
            RecordingKind::Livestream => member.preset.can_livestream,
            RecordingKind::Composite | RecordingKind::Track => member.preset.can_record,
        });
        // With leave on one of their devices.
        match leaves.max() {
            None => Err(Refusal::NotJoined),
            Some(false) => Err(Refusal::NotAllowed),
            Some(true) => Ok(()),
        }
    }

    /// Counts a request against the rate of whoever asks, and the room there is.
    fn take_recording_rate(&mut self, by: &RecordedBy) -> Result<(), Refusal> {
        match by {
            RecordedBy::Participant(participant) => self.take_rate_of(participant, Act::Record, 1),
            _ if self.live().map_or(0, |record| record.seq) as usize >= self.limits.max_events => Err(Refusal::RecordFull),
            _ => Ok(()),
        }
    }

    fn tell_recording(&mut self, id: &RecordingId, news: RecordingNews) {
        let Some(kind) = self.recording(id).map(|found| found.asked.kind) else { return };
        self.send_all(None, &Message::Recording { recording: id.clone(), kind, news });
    }

    fn have_stop(&mut self, recording: RecordingId, why: RecordingEnd) {
        self.emit(EventBody::RecordingStopping { recording: recording.clone(), why: why.clone() });
        self.outputs.push(Output::StopRecording { recording, why });
    }

    fn end_recording(&mut self, recording: RecordingId, why: RecordingEnd, error: Option<String>) {
        let error = error.map(|error| error.chars().take(MAX_RECORDING_ERROR_CHARS).collect::<String>());
        let Some(kind) = self.recording(&recording).map(|found| found.asked.kind) else { return };
        self.emit(EventBody::RecordingStopped { recording: recording.clone(), why, error: error.clone() });
        let told = match (kind, error) {
            (RecordingKind::Composite | RecordingKind::Track, error) => {
                Message::Recording { recording, kind, news: RecordingNews::Stopped { error } }
            }
            (RecordingKind::Livestream, None) => Message::Livestream(LivestreamNews::Stopped { livestream: Some(recording) }),
            (RecordingKind::Livestream, Some(error)) => {
                Message::Livestream(LivestreamNews::Failed { livestream: recording, error })
            }
        };
        self.send_all(None, &told);
    }

    pub(super) fn recordings_wake_at(&self) -> Option<Timestamp> {
        self.live().into_iter().flat_map(|record| record.recordings.iter()).map(overdue_at).min()
    }

    /// What has not begun in time failed, what has run as long as it may stops, and what is not heard to have stopped has.
    pub(super) fn end_overdue_recordings(&mut self) {
        for Recording { asked, state } in self.recordings_where(|found| overdue_at(found) <= self.now) {
            match state {
                RecordingState::Starting { .. } => {
                    let recording = asked.recording.clone();
                    self.outputs.push(Output::StopRecording { recording, why: RecordingEnd::Failed });
                    let why = "it did not begin in time; the server may be recording as much as it can".to_owned();
                    self.end_recording(asked.recording, RecordingEnd::Failed, Some(why));
                }
                RecordingState::Running { .. } | RecordingState::Paused { .. } => {
                    self.have_stop(asked.recording, RecordingEnd::TimeIsUp);
                }
                RecordingState::Stopping { why, .. } => self.end_recording(asked.recording, why, None),
            }
        }
    }

    /// The session is about to be over, and with it what is recorded of it.
    pub(super) fn end_recordings(&mut self) {
        for Recording { asked, state } in self.recordings_where(|_| true) {
            let why = match state {
                RecordingState::Stopping { why, .. } => why,
                _ => RecordingEnd::SessionOver,
            };
            self.outputs.push(Output::StopRecording { recording: asked.recording.clone(), why: why.clone() });
            self.end_recording(asked.recording, why, None);
        }
    }

    fn recordings_where(&self, wanted: impl Fn(&Recording) -> bool) -> Vec<Recording> {
        self.live()
            .into_iter()
            .flat_map(|record: &Record| record.recordings.iter())
            .filter(|found| wanted(found))
            .cloned()
            .collect()
    }
}

/// When something about a recording is overdue.
fn overdue_at(recording: &Recording) -> Timestamp {
    match recording.state {
        RecordingState::Starting { since } if recording.asked.kind == RecordingKind::Livestream => {
            since.plus_ms(LIVESTREAM_BEGINS_WITHIN_MS)
        }
        RecordingState::Starting { since } => since.plus_ms(RECORDING_BEGINS_WITHIN_MS),
        RecordingState::Running { since } | RecordingState::Paused { since } => since.plus_ms(recording.asked.max_ms),
        RecordingState::Stopping { since, .. } => since.plus_ms(RECORDING_STOPS_WITHIN_MS),
    }
}
