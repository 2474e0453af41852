//! What peers publish: who may, what is paused, what others may subscribe to.
//! Invariant: only present peers have tracks, one of each source, and a track id belongs to one of them. A peer whose
//! socket broke is still heard; its tracks end when it is given up or loses its media connections.
//! Next: `leftovers.rs`, what becomes of them when it comes back; `selecting.rs`, who of those who talk is shown first.

use crate::event::{Actor, EventBody, Track, TrackKind};
use crate::ids::{PeerId, TrackId};
use crate::limits::{LEFTOVER_MS, MAX_APP_DATA_BYTES, MAX_TRACK_LABEL_BYTES};
use crate::permission::Source;
use crate::preset::MediaQuality;
use crate::record::Record;
use crate::session::rate::Act;
use crate::session::roster::Member;
use crate::session::{Join, Media, Message, Output, Refusal, Session};
use crate::time::Timestamp;

impl Session {
    /// Whether `caller` may publish such a track now; ask before the media server is bothered.
    pub fn may_publish(&self, caller: &PeerId, kind: TrackKind, screen_share: bool) -> Result<(), Refusal> {
        self.may_send(caller, kind, screen_share)?;
        if screen_share && kind == TrackKind::Video {
            // The share of somebody whose connection broke gives way until it goes on, and so does an earlier one of their own.
            let connected = self.live().into_iter().flat_map(Record::present).filter(|peer| peer.is_connected());
            let others = connected.filter(|peer| peer.who.peer != *caller);
            let stays = |peer: &crate::record::Peer, track: &Track| !self.leftovers.has(&peer.who.peer, &track.id);
            let tracks = others.flat_map(|peer| peer.tracks.values().filter(move |track| stays(peer, track)));
            let shares = tracks.filter(|track| track.screen_share && track.kind == TrackKind::Video).count();
            if shares >= self.caller(caller)?.preset.max_screenshares.max(1) {
                return Err(Refusal::Full);
            }
        }
        Ok(())
    }

    /// The best that may come from `caller`.
    pub fn media_quality(&self, caller: &PeerId) -> Result<MediaQuality, Refusal> {
        Ok(self.caller(caller)?.preset.media)
    }

    /// Whether media of this kind may come from `caller`, however much there is already.
    fn may_send(&self, caller: &PeerId, kind: TrackKind, screen_share: bool) -> Result<(), Refusal> {
        let member = self.caller(caller)?;
        let me = self.present(caller).ok_or(Refusal::NotJoined)?;
        // Others could not place a track of someone whose media join they have not heard of.
        if !member.media {
            return Err(Refusal::NotJoined);
        }
        if !member.preset.may_produce(Source::of(kind, screen_share)) {
            return Err(Refusal::NotAllowed);
        }
        if me.who.on_stage { Ok(()) } else { Err(Refusal::OffStage) }
    }

    /// Records a new track and tells the others; it takes the place of one of the same source. Its id must be new in this
    /// session. Its answer is the track as it
    /// is now: paused if somebody else switched that off and the client, which was away, does not know it yet. Then tell it
    /// with [`Session::tell_silenced`].
    ///
    /// # Errors
    /// Those of [`Session::may_publish`], `TooLarge`, `Muted` for a screen share that was stopped meanwhile, and `TrackIdTaken`: the media server knows tracks by id alone, so
    /// closing one of two with the same id would silence somebody else.
    pub fn publish(&mut self, now: Timestamp, caller: &PeerId, track: Track) -> Result<Track, Refusal> {
        self.tick(now);
        self.caller(caller)?;
        if self.live().into_iter().flat_map(Record::present).any(|peer| peer.tracks.contains_key(&track.id)) {
            return Err(Refusal::TrackIdTaken);
        }
        self.may_publish(caller, track.kind, track.screen_share)?;
        let track = self.add_track(caller, track)?;
        if self.is_shown(caller) {
            self.send_media(Some(caller), &Message::TrackPublished { peer: caller.clone(), track: track.clone() });
        }
        self.select_by_track(caller, &track);
        Ok(track)
    }

    /// The same for a track that goes on with one that [`Session::take_leftover`] gave, whose id it has. Nobody is told,
    /// unless it was on and is off, or the other way round.
    ///
    /// # Errors
    /// `UnknownTrack` if that has ended meanwhile; else those of [`Session::publish`], and then it ends.
    pub fn go_on(&mut self, now: Timestamp, caller: &PeerId, track: Track) -> Result<Track, Refusal> {
        self.tick(now);
        let before = self.track(caller, &track.id).ok_or(Refusal::UnknownTrack)?;
        let (id, was_paused) = (before.id.clone(), before.paused);
        if (before.kind, before.screen_share) != (track.kind, track.screen_share) {
            return Err(Refusal::TrackIdTaken);
        }
        let may = self.may_publish(caller, track.kind, track.screen_share);
        let added = may.and_then(|()| self.add_track(caller, track));
        match &added {
            Ok(track) if track.paused != was_paused && self.is_shown(caller) => {
                let by = Some(caller.clone());
                self.send_media(Some(caller), &Message::TrackToggled { peer: caller.clone(), track: track.clone(), by });
            }
            Ok(_) => {}
            Err(_) => self.drop_track(caller, &id),
        }
        added
    }

    /// Takes a track into the record that may be published, paused if it has to be.
    fn add_track(&mut self, caller: &PeerId, mut track: Track) -> Result<Track, Refusal> {
        let labels = [&track.mime_type, &track.transport];
        if track.app_data.len() > MAX_APP_DATA_BYTES || labels.iter().any(|text| text.len() > MAX_TRACK_LABEL_BYTES) {
            return Err(Refusal::TooLarge);
        }
        self.take_rate(caller, Act::Publish, 1)?;
        let source = Source::of(track.kind, track.screen_share);
        let silenced = self.is_silenced(caller, source);
        if silenced && source == Source::Screen {
            // What a client shares anew by itself is refused once; what people share after that is their wish.
            let refused = track.kind == TrackKind::Audio || self.roster.get_mut(caller).is_some_and(Member::refuses_share);
            if refused {
                return Err(Refusal::Muted);
            }
            self.emit(EventBody::Silenced { peer: caller.clone(), source, by: Actor::Peer(caller.clone()) });
        } else if silenced {
            track.paused = true;
        }
        if source == Source::Microphone && self.may_not_unmute(caller) {
            track.paused = true;
        }
        // Before the others hear of what follows: clients that hear of the end of one after the beginning of the other show
        // the person without either (seen in web SDK 2.0.2).
        self.drop_earlier(caller, &track);
        self.emit(EventBody::TrackPublished { peer: caller.clone(), track: track.clone() });
        self.outputs.push(Output::Media(Media::PauseTrack { track: track.id.clone(), paused: track.paused }));
        Ok(track)
    }

    /// Pauses or resumes a track of the caller's own.
    ///
    /// # Errors
    /// `Muted` if a host forbade it; the caller is told that the track is still paused.
    pub fn set_paused(&mut self, now: Timestamp, caller: &PeerId, track: &TrackId, paused: bool) -> Result<(), Refusal> {
        self.tick(now);
        self.caller(caller)?;
        let current = self.track(caller, track).ok_or(Refusal::UnknownTrack)?.clone();
        if !paused {
            let refused = if current.kind == TrackKind::Audio && !current.screen_share && self.may_not_unmute(caller) {
                Some(Refusal::Muted)
            } else {
                self.may_send(caller, current.kind, current.screen_share).err()
            };
            let refused = match refused {
                None if current.paused => self.take_rate(caller, Act::Resume, 1).err(),
                refused => refused,
            };
            if let Some(refusal) = refused {
                self.send(caller.clone(), Message::TrackToggled { peer: caller.clone(), track: current, by: None });
                return Err(refusal);
            }
        }
        // A client that says it is off has heard of it.
        let source = Source::of(current.kind, current.screen_share);
        if current.paused != paused || self.is_silenced(caller, source) {
            self.toggle(caller, track, paused, Actor::Peer(caller.clone()));
        }
        Ok(())
    }

    /// Tells a client that what it publishes is off, because others switched it off while it was away. Clients then switch
    /// themselves off, and say so (seen in web SDK 2.0.2).
    pub fn tell_silenced(&mut self, peer: &PeerId, track: &TrackId) {
        let Some(track) = self.track(peer, track).filter(|track| track.paused).cloned() else { return };
        self.send_joined(peer, Message::TrackToggled { peer: peer.clone(), track, by: None });
    }

    /// Somebody else switched this off, and the peer has not said what it sends since.
    pub(super) fn is_silenced(&self, peer: &PeerId, source: Source) -> bool {
        self.present(peer).is_some_and(|peer| peer.silenced.contains(&source))
    }

    /// Ends a track of the caller's own. Ending one that is gone is fine.
    pub fn unpublish(&mut self, now: Timestamp, caller: &PeerId, track: &TrackId) -> Result<(), Refusal> {
        self.tick(now);
        self.caller(caller)?;
        self.drop_track(caller, track);
        Ok(())
    }

    /// Whether `caller` may receive the tracks of `of`, and which.
    pub fn may_subscribe(&self, caller: &PeerId, of: &PeerId, track: &TrackId) -> Result<Track, Refusal> {
        self.caller(caller)?;
        let peer = self.present(of).filter(|peer| peer.is_announced()).ok_or(Refusal::UnknownPeer)?;
        peer.tracks.get(track).cloned().ok_or(Refusal::UnknownTrack)
    }

    pub(super) fn track(&self, peer: &PeerId, track: &TrackId) -> Option<&Track> {
        self.present(peer)?.tracks.get(track)
    }

    pub(super) fn toggle(&mut self, peer: &PeerId, track: &TrackId, paused: bool, by: Actor) {
        self.emit(EventBody::TrackPaused { peer: peer.clone(), track: track.clone(), paused, by: by.clone() });
        self.outputs.push(Output::Media(Media::PauseTrack { track: track.clone(), paused }));
        let Some(track) = self.track(peer, track).cloned() else { return };
        let by = match by {
            Actor::Peer(by) if by == *peer || self.is_shown(&by) => Some(by),
            Actor::Peer(_) | Actor::Api => None,
        };
        let message = Message::TrackToggled { peer: peer.clone(), track, by };
        if self.is_shown(peer) {
            self.send_media(None, &message);
        } else {
            self.send_joined(peer, message);
        }
    }

    pub(super) fn drop_track(&mut self, peer: &PeerId, track: &TrackId) {
        let Some(gone) = self.track(peer, track).cloned() else { return };
        self.leftovers.take(peer, track);
        self.emit(EventBody::TrackUnpublished { peer: peer.clone(), track: track.clone() });
        self.outputs.push(Output::Media(Media::CloseTrack { track: track.clone() }));
        if self.is_shown(peer) {
            self.send_media(Some(peer), &Message::TrackUnpublished { peer: peer.clone(), track: gone.clone() });
        }
        self.select_by_track(peer, &gone);
    }

    /// A client sends each source once. One that sends it anew has given up the connection it came on, which the media server
    /// notices up to half a minute later.
    fn drop_earlier(&mut self, peer: &PeerId, track: &Track) {
        let Some(found) = self.present(peer) else { return };
        let source = |track: &Track| (track.kind, track.screen_share);
        let same = |earlier: &&Track| earlier.id != track.id && source(earlier) == source(track);
        for earlier in found.tracks.values().filter(same).map(|earlier| earlier.id.clone()).collect::<Vec<_>>() {
            self.drop_track(peer, &earlier);
        }
    }

    pub(super) fn unpublish_all(&mut self, peer: &PeerId) {
        let Some(found) = self.present(peer) else { return };
        for track in found.tracks.keys().cloned().collect::<Vec<_>>() {
            self.drop_track(peer, &track);
        }
    }

    fn may_not_unmute(&self, peer: &PeerId) -> bool {
        self.live().is_some_and(|record| record.unmute_forbidden)
            && !self.roster.get(peer).is_some_and(|member| member.preset.disable_audio)
    }
}

impl Session {
    /// The tracks of a peer that is back stay until its client publishes them anew; what does not come in any more, and what
    /// it may not send any more, ends.
    pub(super) fn leave_over(&mut self, join: &Join) {
        let Some(found) = self.present(&join.peer) else { return };
        let stays = |track: &Track| {
            join.flowing.contains(&track.id) && join.preset.may_produce(Source::of(track.kind, track.screen_share))
        };
        let (left, gone): (Vec<Track>, Vec<Track>) = found.tracks.values().cloned().partition(stays);
        let left = left.into_iter().map(|track| track.id).collect();
        self.leftovers.leave(&join.peer, self.now.plus_ms(LEFTOVER_MS), left);
        for track in gone {
            self.drop_track(&join.peer, &track.id);
        }
    }

    /// The ids of what a peer publishes, whether or not it is connected.
    pub fn tracks_of(&self, peer: &PeerId) -> impl Iterator<Item = &TrackId> {
        self.present(peer).into_iter().flat_map(|found| found.tracks.keys())
    }

    /// The track that one which `caller` is about to publish goes on with, if there is one. From then on it is not left
    /// over: [`Session::go_on`] follows, or [`Session::unpublish`].
    pub fn take_leftover(&mut self, now: Timestamp, caller: &PeerId, kind: TrackKind, screen_share: bool) -> Option<TrackId> {
        self.tick(now);
        let own = self.present(caller)?.tracks.values();
        let mut left = own.filter(|track| (track.kind, track.screen_share) == (kind, screen_share));
        let track = left.find(|track| self.leftovers.has(caller, &track.id))?.id.clone();
        self.leftovers.take(caller, &track);
        Some(track)
    }

    pub(super) fn drop_leftovers(&mut self) {
        for (peer, track) in self.leftovers.over(self.now) {
            self.drop_track(&peer, &track);
        }
    }
}
