//! Connections that outlive the process: what is saved of them, and going on with those of an earlier run.
//! Invariant: what is saved is what was last told a client, or what is about to be; the driver saves before it answers.
//! Next: `saved.rs` for what that is, `words.rs` for what changes with packets, `driver/memory.rs` for where it lies.

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use str0m::media::{Mid, Rid};

use super::Engine;
use super::consumer::Consumer;
use super::key::{Key, ProducerKey};
use super::lines::Sending;
use super::producer::{Origin, Producer};
use super::saved::{Saved, SavedConsumer, SavedProducer};
use super::transport::Transport;
use super::transport::publishing::Incoming;
use super::words::{StreamWords, Words};
use crate::{ProducerId, TransportId};

/// What became of a connection: what to keep of it, or that it is to be forgotten.
#[derive(Debug)]
pub(crate) struct Save {
    pub transport: TransportId,
    pub what: Option<Saved>,
}

impl Engine {
    /// From now on connections can outlive the process: numbers lie in this memory, of which an earlier run left these words.
    /// Only `ready` of them can be written to by now.
    pub(crate) fn lasting(mut self, memory: &'static [AtomicU64], ready: usize, left: &HashSet<u32>) -> Self {
        self.words = Words::new(memory, left);
        self.words.limit(ready);
        self
    }

    pub(crate) fn words_mut(&mut self) -> &mut Words {
        &mut self.words
    }

    /// Whom a connection counts against, and what the server wants to know of it in another run.
    pub(crate) fn note_guest(&mut self, transport: &TransportId, owner: &str, note: &str) {
        if let Some(transport) = self.transports.key_of(transport).and_then(|key| self.transports.get_mut(key)) {
            transport.guest = (owner.to_owned(), note.to_owned());
        }
    }

    /// What is to be saved, and what is to go, since the last call; all of that call has been done by now.
    pub(crate) fn take_saves(&mut self, now: Instant) -> Vec<Save> {
        if self.unsaved.is_empty() && self.unsaved_end.is_empty() {
            return Vec::new();
        }
        self.words.settle();
        let gone = std::mem::take(&mut self.unsaved_end).into_iter();
        let mut saves: Vec<Save> = gone.map(|transport| Save { transport, what: None }).collect();
        for key in std::mem::take(&mut self.unsaved) {
            saves.extend(self.save(now, key));
        }
        saves
    }

    /// The same for those who keep nothing of it.
    pub(crate) fn forget_saves(&mut self) {
        if !self.unsaved.is_empty() || !self.unsaved_end.is_empty() {
            self.unsaved.clear();
            self.unsaved_end.clear();
            self.words.settle();
        }
    }

    /// All connections that another process can go on with, as they are now.
    pub(crate) fn save_all(&mut self, now: Instant) -> Vec<Saved> {
        let keys: Vec<Key> = self.transports.keys().into_iter().collect();
        keys.into_iter().filter_map(|key| self.save(now, key)?.what).collect()
    }

    fn save(&mut self, now: Instant, key: Key) -> Option<Save> {
        let transport = self.transports.get_mut(key).filter(|transport| transport.is_connected())?;
        let name = |producer| self.producers.get(producer).map(|producer| producer.id.to_string());
        let mut consumers = Vec::new();
        let mut complete = true;
        for (mid, consumer) in transport.subscribing.consumers() {
            let Some(producer) = name(consumer.producer) else { continue };
            let Some(words) = consumer.stream.words.places() else {
                complete = false;
                continue;
            };
            consumers.push(SavedConsumer {
                mid: mid.to_string(),
                producer,
                kind: consumer.kind,
                negotiated: consumer.negotiated,
                wanted: consumer.wanted.map(|rid| rid.to_string()),
                pt: consumer.stream.pt(),
                ssrc: consumer.stream.ssrc,
                rtx: consumer.stream.rtx.as_ref().map(|rtx| rtx.line()),
                name: consumer.stream.name().to_owned(),
                words,
            });
        }
        consumers.extend(self.awaiting.of(key).cloned());
        let producers = transport.publishing.lines().filter_map(|(mid, key)| {
            let producer = self.producers.get(key)?;
            Some(SavedProducer {
                mid: mid.to_string(),
                producer: producer.id.to_string(),
                format: producer.format,
                screen_share: producer.screen_share,
                cap: producer.cap,
                paused: producer.paused,
                stream: producer.stream.clone(),
            })
        });
        let producers = producers.collect();
        let what = transport.save(now, producers, consumers).filter(|_| complete);
        Some(Save { transport: transport.id().clone(), what })
    }

    /// Something of a connection has changed that another process needs to know.
    pub(super) fn changed(&mut self, key: Key) {
        if self.words.last() {
            self.unsaved.insert(key);
        }
    }

    /// A new connection's numbers get their places.
    pub(super) fn note_line(&mut self, key: Key) {
        if self.words.last()
            && let Some(transport) = self.transports.get_mut(key)
        {
            transport.note_line(self.words.line());
        }
    }

    /// Places for the numbers of a new stream that goes out on a connection.
    pub(super) fn words_for_stream(&mut self, key: Key) -> StreamWords {
        let Some(transport) = self.transports.get_mut(key).filter(|_| self.words.last()) else { return StreamWords::default() };
        let words = self.words.stream();
        transport.note_stream(words);
        words
    }

    /// A packet came in on a stream.
    #[inline]
    pub(super) fn note_packet(&mut self, key: Key, ssrc: u32, number: u64, mid: Mid, rid: Option<Rid>) {
        if !self.words.last() {
            return;
        }
        let Some(transport) = self.transports.get_mut(key) else { return };
        if !transport.publishing.note(ssrc, number) {
            let word = self.words.take();
            transport.own([word]);
            transport.publishing.begin_stream(ssrc, Incoming { mid, rid, rtx: None, highest: number, word });
            self.unsaved.insert(key);
        }
    }

    /// Looks for what no call told of.
    pub(super) fn note_changes(&mut self) {
        if self.words.last() {
            for key in self.transports.keys() {
                if self.transports.get_mut(key).is_some_and(Transport::learns_rtx) {
                    self.unsaved.insert(key);
                }
            }
        }
    }

    /// Whether there is nothing of that name yet.
    fn is_new(&self, saved: &Saved) -> bool {
        let free = |producer: &SavedProducer| self.producers.key_of(&producer.producer.as_str().into()).is_none();
        self.transports.key_of(&saved.transport.as_str().into()).is_none() && saved.producers.iter().all(free)
    }

    /// Goes on with a connection of an earlier run and what comes in on it; what goes out is for `resume_consumers`, when
    /// all producers are there. False if that cannot be.
    pub(crate) fn resume_transport(&mut self, now: Instant, saved: &Saved) -> bool {
        let resumed = self.guard(now, None, |engine| engine.is_new(saved).then(|| engine.take_up(now, saved)).flatten());
        self.settle(now);
        resumed.flatten().is_some_and(|key| self.transports.get(key).is_some_and(Transport::is_connected))
    }

    fn take_up(&mut self, now: Instant, saved: &Saved) -> Option<Key> {
        let mut early = Vec::new();
        let transport = Transport::resume(now, &self.identity, &self.words, saved, &mut early)?;
        let key = Key(self.next_key());
        self.demux.add(key, transport.name().to_owned());
        self.rooms.enter(transport.room(), key);
        self.transports.add(key, transport);
        for saved in &saved.producers {
            let (mid, producer) = (Mid::from(saved.mid.as_str()), ProducerKey(self.next_key()));
            let transport = self.transports.get_mut(key)?;
            transport.publishing.begin(mid, producer);
            let (room, origin) = (transport.room().clone(), Origin::Client { transport: key, mid });
            let mut made = Producer::new(ProducerId::from(saved.producer.as_str()), room, saved.format, origin, saved.paused);
            made.screen_share = saved.screen_share;
            made.cap = saved.cap;
            made.stream = saved.stream.clone();
            self.producers.add(producer, made);
        }
        let client = saved.client;
        if let Some(client) = client {
            self.learn_address(client, key, None);
        }
        let to = client.map(|client| self.local_address(client));
        self.run(now, key, |transport, _, happened| {
            happened.append(&mut early);
            if let (Some(client), Some(to)) = (client, to) {
                transport.go_on_at(now, client, to, happened);
            }
        })?;
        self.changed(key);
        self.transports.touch(key);
        Some(key)
    }

    /// Goes on with what goes out on a connection of an earlier run.
    pub(crate) fn resume_consumers(&mut self, now: Instant, saved: &Saved) {
        self.guard(now, None, |engine| {
            let Some(key) = engine.transports.key_of(&saved.transport.as_str().into()) else { return };
            for consumer in &saved.consumers {
                engine.take_up_consumer(now, key, consumer);
            }
        });
        self.settle(now);
    }

    /// A producer is here again that connections of an earlier run consumed.
    pub(super) fn take_up_awaited(&mut self, now: Instant, producer: &ProducerId) {
        for (to, consumer) in self.awaiting.take(producer) {
            self.take_up_consumer(now, to, &consumer);
        }
    }

    /// Where the producer has gone, its line stays as it is without one; it may come from another node again.
    fn take_up_consumer(&mut self, now: Instant, to: Key, saved: &SavedConsumer) {
        let wall = self.identity.wall(now);
        let Some(key) = self.producers.key_of(&saved.producer.as_str().into()) else {
            if self.crossings.has_relay() {
                self.awaiting.add(now, to, saved.clone());
            }
            return;
        };
        let Some(producer) = self.producers.get_mut(key) else { return };
        let Some(transport) = self.transports.get_mut(to).filter(|transport| producer.room == *transport.room()) else { return };
        let mid = Mid::from(saved.mid.as_str());
        let line = Sending { mid, pt: saved.pt, ssrc: saved.ssrc, rtx: saved.rtx, name: saved.name.clone() };
        let wanted = saved.wanted.as_deref().map(Rid::from);
        let words = StreamWords::again(&self.words, saved.words);
        let mut consumer = Consumer::new(key, saved.kind, &line, wanted, words);
        consumer.negotiated = saved.negotiated;
        consumer.go_on(now, wall);
        transport.subscribing.add(mid, consumer);
        producer.consumers.push((to, mid));
        self.choose_layer(now, to, mid);
    }
}
