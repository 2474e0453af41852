//! What the server may ask of the engine: open, produce, consume, close. One method per command.
//! Each checks everything first and changes nothing when it refuses.
//! Next: `lines.rs` for what happens to m-lines.

use std::collections::HashSet;
use std::time::Instant;

use str0m::media::{Mid, Rid};

use super::consumer::Consumer;
use super::crossing::Crossing;
use super::farewell::Mark;
use super::key::{Key, ProducerKey};
use super::lines::Change;
use super::producer::{Origin, Producer};
use super::transport::Transport;
use super::{Engine, Output};
use crate::sdp::{self, BadSdp, Remote};
use crate::{CloseReason, Consume, ConsumeError, Consumed, Error, Event, Produce, ProducerId, Role, RoomId, TransportId};

impl Engine {
    /// Returns the answer.
    pub(crate) fn open_transport(
        &mut self,
        now: Instant,
        room: RoomId,
        id: TransportId,
        mark: impl Into<Mark>,
        offer: &str,
    ) -> Result<String, Error> {
        if self.transports.key_of(&id).is_some() {
            return Err(Error::Refused("there is a transport of that name".into()));
        }
        let offer = sdp::parse(offer)?;
        let key = Key(self.next_key());
        let (transport, answer) = Transport::open(now, key.0, &self.identity, id, room.clone(), mark.into(), &offer)?;
        self.demux.add(key, transport.name().to_owned());
        self.rooms.enter(&room, key);
        self.transports.add(key, transport);
        self.note_line(key);
        self.transports.touch(key);
        self.settle(now);
        Ok(answer)
    }

    /// Returns the answer.
    pub(crate) fn produce(&mut self, now: Instant, request: Produce) -> Result<String, Error> {
        let key = self.transport_key(&request.transport)?;
        let before = match request.goes_on {
            true => Some(self.producers.key_of(&request.producer).ok_or(Error::UnknownProducer)?),
            false => None,
        };
        if before.is_none() && !self.free_name(now, &request.producer) {
            return Err(Error::Refused("there is a producer of that name".into()));
        }
        let offer = sdp::parse(&request.offer)?;
        let line = find_line(&offer, &request).ok_or_else(|| BadSdp::new("no m-line of the wanted kind, mid or msid"))?;
        let mid = Mid::from(line);
        let transport = self.transports.get(key).ok_or(Error::UnknownTransport)?;
        if transport.role() != Role::Send {
            return Err(Error::Refused("the transport only receives".into()));
        }
        if let Some(producer) = before.and_then(|before| self.producers.get(before))
            && (producer.room != *transport.room() || producer.kind != request.kind || producer.line().is_none())
        {
            return Err(Error::UnknownProducer);
        }
        let replaced = transport.publishing.on(mid);
        if replaced.is_none() && transport.publishing.count() >= self.limits.producers_per_transport {
            return Err(Error::Refused("too many producers on the transport".into()));
        }
        let answer = self.answer(now, key, &offer, &HashSet::new())?;
        let transport = self.transports.get_mut(key).ok_or(Error::UnknownTransport)?;
        let Some(format) = transport.receiving(line, request.kind).map(|codec| codec.format) else {
            self.settle(now);
            return Err(Error::Refused("the m-line does not send, or with no codec of ours".into()));
        };
        if let Some(before) = before
            && self.producers.get(before).is_none_or(|producer| producer.format != format)
        {
            self.settle(now);
            return Err(Error::Refused("it goes on with another codec, which its receivers do not expect".into()));
        }
        // The client published again on the line of an earlier producer.
        if let Some(replaced) = replaced.filter(|replaced| Some(*replaced) != before) {
            self.end_producer(now, replaced);
        }
        let producer_key = before.unwrap_or_else(|| ProducerKey(self.next_key()));
        if let Some((from, line)) = before.and_then(|before| self.producers.get(before)).and_then(Producer::line)
            && let Some(transport) = self.transports.get_mut(from)
        {
            transport.publishing.end(line);
            self.changed(from);
        }
        let transport = self.transports.get_mut(key).ok_or(Error::UnknownTransport)?;
        transport.publishing.begin(mid, producer_key);
        let room = transport.room().clone();
        let stream = match request.screen_share {
            true => format!("{}-screen", request.transport),
            false => request.transport.to_string(),
        };
        let origin = Origin::Client { transport: key, mid };
        if before.is_none() {
            let mut producer = Producer::new(request.producer, room, format, origin, request.paused);
            producer.screen_share = request.screen_share;
            self.producers.add(producer_key, producer);
        }
        if let Some(producer) = self.producers.get_mut(producer_key) {
            (producer.origin, producer.cap, producer.stream) = (origin, request.cap, stream);
        }
        if before.is_some() {
            self.begin_anew(producer_key);
            let mirrors = self.producers.get(producer_key).map(|p| p.mirrors.clone());
            for mirror in mirrors.into_iter().flatten() {
                self.cross(mirror.on, Crossing::Anew { key: producer_key });
            }
        }
        for other in self.producers_on(key) {
            self.lift(other);
        }
        self.changed(key);
        self.transports.touch(key);
        self.settle(now);
        Ok(answer)
    }

    /// A producer's client sends it anew: other streams, of which nothing is known yet. Its consumers go on where they are,
    /// from the first key frame on.
    pub(super) fn begin_anew(&mut self, key: ProducerKey) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        producer.begin_anew();
        for (to, mid) in &producer.consumers {
            if let Some(consumer) = self.transports.get_mut(*to).and_then(|t| t.subscribing.consumer_mut(*mid)) {
                consumer.begin_anew();
            }
        }
    }

    /// Returns the answer if there was an offer.
    pub(crate) fn close_producer(
        &mut self,
        now: Instant,
        transport: TransportId,
        producer: ProducerId,
        offer: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let key = self.transport_key(&transport)?;
        let offer = offer.map(sdp::parse).transpose()?;
        let known = self.producers.key_of(&producer);
        let known = known.filter(|p| self.producers.get(*p).and_then(Producer::line).is_some_and(|(of, _)| of == key));
        if let Some(known) = known {
            self.end_producer(now, known);
        }
        let answer = match offer {
            Some(offer) => Some(self.answer(now, key, &offer, &HashSet::new())),
            None if known.is_none() => return Err(Error::UnknownProducer),
            None => None,
        };
        self.settle(now);
        answer.transpose()
    }

    pub(crate) fn pause_producer(&mut self, now: Instant, producer: &ProducerId, paused: bool) {
        let Some(key) = self.producers.key_of(producer) else { return };
        self.set_paused(now, key, paused);
        let mirrors = self.producers.get(key).map(|p| p.mirrors.clone());
        for mirror in mirrors.into_iter().flatten() {
            self.cross(mirror.on, Crossing::Paused { key, paused });
        }
        self.settle(now);
    }

    pub(super) fn set_paused(&mut self, now: Instant, key: ProducerKey, paused: bool) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        if std::mem::replace(&mut producer.paused, paused) == paused {
            return;
        }
        if let Some((of, _)) = producer.line() {
            self.changed(of);
        }
        let Some(producer) = self.producers.get_mut(key) else { return };
        if paused {
            producer.waiting.clear();
            producer.forget_key_frames();
            if let Some(heard) = producer.loudness.hush(now) {
                let event = Event::AudioLevel { producer: producer.id.clone(), level_dbov: heard.level_dbov, speaking: false };
                self.outputs.push_back(Output::Event(event));
            }
            return;
        }
        for (to, mid) in &producer.consumers {
            if let Some(consumer) = self.transports.get_mut(*to).and_then(|t| t.subscribing.consumer_mut(*mid)) {
                consumer.restart();
                consumer.quality.rest();
            }
        }
        self.choose_layers(now, key);
    }

    /// Adds consumers to the transport's next offer.
    pub(crate) fn consume(&mut self, now: Instant, transport: TransportId, wanted: Vec<Consume>) -> Result<Consumed, Error> {
        let key = self.transport_key(&transport)?;
        if self.transports.get(key).is_some_and(|t| t.role() != Role::Receive) {
            return Err(Error::Refused("the transport only sends".into()));
        }
        let mut consumers = Vec::with_capacity(wanted.len());
        for want in wanted {
            let mid = self.consume_one(now, key, &want);
            consumers.push((want.producer, mid));
        }
        let offer = self.run(now, key, |transport, identity, _| transport.write_offer(identity));
        self.changed(key);
        self.settle(now);
        Ok(Consumed { offer: offer.ok_or(Error::UnknownTransport)?, consumers })
    }

    fn consume_one(&mut self, now: Instant, key: Key, want: &Consume) -> Result<String, ConsumeError> {
        let producer_key = self.producers.key_of(&want.producer).ok_or(ConsumeError::NotFound)?;
        let producer = self.producers.get_mut(producer_key).ok_or(ConsumeError::NotFound)?;
        let transport = self.transports.get_mut(key).ok_or(ConsumeError::Backend)?;
        if producer.room != *transport.room() {
            return Err(ConsumeError::NotFound);
        }
        let rid = want.preferred_rid.as_deref().map(Rid::from);
        if let Some(mid) = transport.subscribing.mid_of(producer_key) {
            if let Some(consumer) = transport.subscribing.consumer_mut(mid)
                && rid.is_some()
            {
                consumer.wanted = rid;
            }
            self.choose_layer(now, key, mid);
            return Ok(mid.to_string());
        }
        if transport.sending_lines() >= self.limits.consumers_per_transport {
            return Err(ConsumeError::Backend);
        }
        let line = transport.add_line(producer.format, &producer.stream, producer.id.as_str()).ok_or(ConsumeError::Backend)?;
        let mid = line.mid;
        let words = self.words_for_stream(key);
        let transport = self.transports.get_mut(key).ok_or(ConsumeError::Backend)?;
        let producer = self.producers.get_mut(producer_key).ok_or(ConsumeError::NotFound)?;
        transport.subscribing.add(mid, Consumer::new(producer_key, producer.kind, &line, rid, words));
        producer.consumers.push((key, mid));
        self.lift(producer_key);
        Ok(mid.to_string())
    }

    pub(crate) fn accept_answer(&mut self, now: Instant, transport: TransportId, answer: &str) -> Result<(), Error> {
        let key = self.transport_key(&transport)?;
        let answer = sdp::parse(answer)?;
        let changes = self.run(now, key, |transport, _, _| transport.accept(&answer)).ok_or(Error::UnknownTransport)??;
        self.carry(now, key, changes);
        self.settle(now);
        Ok(())
    }

    /// Returns the answer. The lines with these mids end, whatever the offer says about them.
    pub(crate) fn close_consumers(
        &mut self,
        now: Instant,
        transport: TransportId,
        mids: Vec<String>,
        offer: &str,
    ) -> Result<String, Error> {
        let key = self.transport_key(&transport)?;
        let offer = sdp::parse(offer)?;
        let stop = mids.into_iter().collect();
        let answer = self.answer(now, key, &offer, &stop);
        self.settle(now);
        answer
    }

    pub(crate) fn set_layer(
        &mut self,
        now: Instant,
        transport: TransportId,
        producer: ProducerId,
        mid: Option<String>,
        rid: &str,
    ) -> Result<(), Error> {
        let key = self.transport_key(&transport)?;
        let producer = self.producers.key_of(&producer);
        let transport = self.transports.get_mut(key).ok_or(Error::UnknownTransport)?;
        let by_producer = producer.and_then(|p| transport.subscribing.mid_of(p));
        let mid = by_producer.or_else(|| mid.filter(|_| producer.is_none()).map(|m| Mid::from(m.as_str())));
        let mid = mid.ok_or(Error::UnknownProducer)?;
        let consumer = transport.subscribing.consumer_mut(mid).ok_or(Error::UnknownProducer)?;
        consumer.wanted = Some(Rid::from(rid));
        self.changed(key);
        self.choose_layer(now, key, mid);
        self.settle(now);
        Ok(())
    }

    pub(crate) fn close_transport(&mut self, now: Instant, transport: &TransportId) {
        if let Some(key) = self.transports.key_of(transport) {
            self.end_transport(now, key, None);
            self.settle(now);
        }
    }

    /// As `close_transport`; the server hears of it, as it did not ask for this one.
    pub(crate) fn evict(&mut self, now: Instant, transport: &TransportId) {
        if let Some(key) = self.transports.key_of(transport) {
            self.end_transport(now, key, Some(CloseReason::Evicted));
            self.settle(now);
        }
    }

    pub(crate) fn close_room(&mut self, now: Instant, room: &RoomId) {
        for key in self.rooms.members(room) {
            self.end_transport(now, key, None);
        }
        self.settle(now);
    }

    /// Says goodbye to everyone, so that clients look for another server at once.
    pub(crate) fn close_all(&mut self, now: Instant) {
        for key in self.transports.keys() {
            self.end_transport(now, key, None);
        }
    }

    fn producers_on(&self, key: Key) -> Vec<ProducerKey> {
        self.transports.get(key).map(|t| t.publishing.producers().collect()).unwrap_or_default()
    }

    fn transport_key(&self, id: &TransportId) -> Result<Key, Error> {
        self.transports.key_of(id).ok_or(Error::UnknownTransport)
    }

    fn answer(&mut self, now: Instant, key: Key, offer: &Remote, stop: &HashSet<String>) -> Result<String, Error> {
        let answered = self.run(now, key, |transport, identity, _| transport.answer(identity, offer, stop));
        let (answer, changes) = answered.ok_or(Error::UnknownTransport)??;
        self.carry(now, key, changes);
        Ok(answer)
    }

    /// Does to producers and consumers what a description said.
    fn carry(&mut self, now: Instant, key: Key, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::SendingBegins { mid } => self.choose_layer(now, key, Mid::from(mid.as_str())),
                Change::SendingEnds { mid } => self.end_consumer(key, Mid::from(mid.as_str())),
                Change::ReceivingEnds { mid } => {
                    let mid = Mid::from(mid.as_str());
                    let producer = self.transports.get(key).and_then(|t| t.publishing.on(mid));
                    if let Some(producer) = producer {
                        self.end_producer(now, producer);
                    }
                }
            }
        }
        self.changed(key);
        self.transports.touch(key);
    }
}

/// The m-line a new producer comes on: the one with the given mid, else the newest with the given msid.
fn find_line<'a>(offer: &'a Remote, request: &Produce) -> Option<&'a str> {
    let fits = || offer.lines.iter().filter(|l| l.kind == Some(request.kind) && !l.rejected && l.direction.sends());
    let by_mid = request.mid.as_deref().and_then(|mid| fits().find(|l| l.mid == mid));
    let wanted = plain(&request.msid);
    let by_msid = || {
        let same = |(stream, track): &(String, String)| {
            let track = plain(track);
            format!("{} {track}", plain(stream)) == wanted || (!track.is_empty() && track == wanted)
        };
        fits().rfind(|l| l.msid.as_ref().is_some_and(same))
    };
    by_mid.or_else(by_msid).map(|l| l.mid.as_str())
}

/// Firefox writes ids in braces; one blank between stream and track.
fn plain(msid: &str) -> String {
    let words: Vec<String> = msid.split_ascii_whitespace().map(|w| w.replace(['{', '}'], "")).collect();
    words.join(" ")
}
