//! Who may be seen: asking for the stage, deciding on it, stepping on and off.
//! Who asks, who was called up and who is on stage is in the record: a broken connection takes nobody's hand down.
//! Invariant: a peer off stage publishes nothing; only those on it, or called up, or free to come, are on it.
//! Next: the tests.

use crate::event::{EventBody, StageWish};
use crate::ids::{ParticipantId, PeerId};
use crate::preset::{CanProduce, Preset};
use crate::record::{self, Record};
use crate::session::rate::Act;
use crate::session::{Message, Refusal, Session, Stage, StageNews, StageRequest};
use crate::time::Timestamp;

fn decides(preset: &Preset) -> bool {
    preset.has_stage() && (preset.accept_stage_requests || preset.accept_production_requests)
}

impl Session {
    /// Asks to be let on stage.
    pub fn request_stage(&mut self, now: Timestamp, caller: &PeerId) -> Result<(), Refusal> {
        self.tick(now);
        let preset = &self.caller(caller)?.preset;
        if !preset.has_stage() || preset.stage_access() == CanProduce::NotAllowed {
            return Err(Refusal::NotAllowed);
        }
        if self.is_on_stage(caller) || self.stage_wish(caller).is_some() {
            return Ok(());
        }
        self.take_rate(caller, Act::StageRequest, 1)?;
        self.wish(caller, Some(StageWish::Asks));
        self.tell_stage(caller, Stage::Requested, None);
        self.tell_stage_requests();
        Ok(())
    }

    /// Asks no more.
    pub fn cancel_stage_request(&mut self, now: Timestamp, caller: &PeerId) -> Result<(), Refusal> {
        self.tick(now);
        self.caller(caller)?;
        if self.stage_wish(caller).is_some() {
            self.wish(caller, None);
            self.tell_stage(caller, Stage::Off, None);
            self.tell_stage_requests();
        }
        Ok(())
    }

    /// Calls participants up to the stage, whether or not they asked, or turns down those who did. Others are passed
    /// over.
    pub fn decide_stage(
        &mut self,
        now: Timestamp,
        caller: &PeerId,
        participants: &[ParticipantId],
        granted: bool,
    ) -> Result<(), Refusal> {
        self.tick(now);
        if !decides(&self.caller(caller)?.preset) {
            return Err(Refusal::NotAllowed);
        }
        self.take_rate(caller, Act::Host, 1)?;
        let wanted = self.peers_where(|peer| participants.contains(&peer.who.participant) && !peer.who.on_stage);
        for peer in wanted {
            let wish = self.stage_wish(&peer);
            // Of those who are away only the ones who asked are known to have a stage to come to.
            let may = self.roster.get(&peer).map_or(wish.is_some(), |member| member.preset.has_stage());
            let (wish, news) = match wish {
                _ if granted && may => (Some(StageWish::CalledUp), (StageNews::Granted, Stage::Approved)),
                Some(_) if !granted => (None, (StageNews::Denied, Stage::Off)),
                _ => continue,
            };
            self.wish(&peer, wish);
            self.send_joined(&peer, Message::Stage(news.0));
            self.tell_stage(&peer, news.1, None);
        }
        self.tell_stage_requests();
        Ok(())
    }

    /// Steps on stage. The others are told; the caller has its answer.
    ///
    /// # Errors
    /// `NotAllowed` for those who have to ask and were not called up.
    pub fn join_stage(&mut self, now: Timestamp, caller: &PeerId) -> Result<(), Refusal> {
        self.tick(now);
        let preset = &self.caller(caller)?.preset;
        if self.is_on_stage(caller) {
            return Ok(());
        }
        let called_up = self.stage_wish(caller) == Some(StageWish::CalledUp);
        if !preset.has_stage() || (preset.stage_access() != CanProduce::Allowed && !called_up) {
            return Err(Refusal::NotAllowed);
        }
        self.take_rate(caller, Act::StageJoin, 1)?;
        self.emit(EventBody::StageChanged { peer: caller.clone(), on_stage: true });
        self.tell_stage(caller, Stage::On, Some(caller));
        self.tell_stage_requests();
        Ok(())
    }

    /// Takes participants off stage: the caller itself, or those whom it may. The others are told; the caller has its
    /// answer.
    pub fn leave_stage(&mut self, now: Timestamp, caller: &PeerId, participants: &[ParticipantId]) -> Result<(), Refusal> {
        self.tick(now);
        let preset = &self.caller(caller)?.preset;
        let own = self.present(caller).map(|me| me.who.participant.clone());
        if !preset.has_stage() {
            return Err(Refusal::NotAllowed);
        }
        if participants.iter().any(|participant| Some(participant) != own.as_ref()) && !decides(preset) {
            return Err(Refusal::NotAllowed);
        }
        let is_meant = |peer: &PeerId, participant: &ParticipantId| {
            // Of oneself only this connection: another device stays where it is.
            if Some(participant) == own.as_ref() { peer == caller } else { participants.contains(participant) }
        };
        let leaves_itself = own.as_ref().is_some_and(|own| participants.contains(own));
        let wanted = self.peers_where(|peer| {
            let (id, who) = (&peer.who.peer, &peer.who);
            who.on_stage && is_meant(id, &who.participant) && (id != caller || leaves_itself)
        });
        for peer in wanted {
            // Someone without a stage is never off it.
            if self.roster.get(&peer).is_some_and(|member| !member.preset.has_stage()) {
                continue;
            }
            self.unpublish_all(&peer);
            self.emit(EventBody::StageChanged { peer: peer.clone(), on_stage: false });
            self.tell_stage(&peer, Stage::Off, Some(caller));
        }
        Ok(())
    }

    /// Those who ask, for a caller who decides.
    pub fn stage_requests(&self, caller: &PeerId) -> Result<Vec<StageRequest>, Refusal> {
        if !decides(&self.caller(caller)?.preset) {
            return Err(Refusal::NotAllowed);
        }
        Ok(self.stage_request_list())
    }

    /// Tells a client that it was called up, which it may have missed while it was away. That it asks it has from the answer
    /// to its join, and from nothing else (seen in web SDK 2.0.2).
    pub(super) fn tell_own_call(&mut self, peer: &PeerId) {
        if self.stage_wish(peer) == Some(StageWish::CalledUp) {
            self.send_joined(peer, Message::Stage(StageNews::Granted));
        }
    }

    fn stage_wish(&self, peer: &PeerId) -> Option<StageWish> {
        self.present(peer)?.stage_wish
    }

    fn wish(&mut self, peer: &PeerId, wish: Option<StageWish>) {
        if self.stage_wish(peer) != wish {
            self.emit(EventBody::StageWished { peer: peer.clone(), wish });
        }
    }

    fn is_on_stage(&self, peer: &PeerId) -> bool {
        self.present(peer).is_some_and(|peer| peer.who.on_stage)
    }

    fn stage_request_list(&self) -> Vec<StageRequest> {
        let present = self.live().into_iter().flat_map(Record::present);
        let asking = present.filter(|peer| peer.stage_wish == Some(StageWish::Asks));
        let request = |peer: &record::Peer| StageRequest {
            peer: peer.who.peer.clone(),
            participant: peer.who.participant.clone(),
            name: peer.who.name.clone(),
        };
        asking.map(request).collect()
    }

    /// Tells everyone but `except` where a peer stands; of a hidden one only itself.
    fn tell_stage(&mut self, peer: &PeerId, stage: Stage, except: Option<&PeerId>) {
        let Some(found) = self.present(peer) else { return };
        let participant = found.who.participant.clone();
        let news = Message::Stage(StageNews::Status { peer: peer.clone(), participant, stage });
        if self.is_shown(peer) {
            self.send_all(except, &news);
        } else if except != Some(peer) {
            self.send_joined(peer, news);
        }
    }

    pub(super) fn tell_stage_requests(&mut self) {
        let to: Vec<PeerId> =
            self.roster.iter().filter(|(_, member)| decides(&member.preset)).map(|(peer, _)| peer.clone()).collect();
        let list = self.stage_request_list();
        for peer in to {
            self.send(peer, Message::Stage(StageNews::Requests(list.clone())));
        }
    }
}
