//! What a client sends on a transport, by m-line, and how much it may.

use std::collections::HashMap;

use rustc_hash::FxHashMap;
use str0m::media::{Mid, Rid};

use crate::engine::key::ProducerKey;
use crate::engine::moments::Moments;
use crate::engine::words::Word;

#[derive(Debug, Default)]
pub(crate) struct Publishing {
    producers: HashMap<Mid, ProducerKey>,
    /// What came in, by SSRC; kept only for another process.
    streams: FxHashMap<u32, Incoming>,
    /// The client's wall clock, by its sender reports.
    pub moments: Moments,
    /// The most the client was told to send, in bit/s, as nobody takes more.
    held_to: Option<u64>,
    /// It sent more than anybody wanted when last looked at.
    holdable: bool,
}

/// A stream that comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    pub mid: Mid,
    pub rid: Option<Rid>,
    /// Of its retransmissions, once there are some.
    pub rtx: Option<u32>,
    /// The highest number that came, and where it is noted.
    pub highest: u64,
    pub word: Word,
}

impl Publishing {
    /// A packet of a stream came. False if the stream is new.
    #[inline]
    pub(crate) fn note(&mut self, ssrc: u32, number: u64) -> bool {
        let Some(stream) = self.streams.get_mut(&ssrc) else { return false };
        if number > stream.highest {
            stream.highest = number;
            stream.word.set(number);
        }
        true
    }

    /// A stream takes the place of any other of its line and layer.
    pub(crate) fn begin_stream(&mut self, ssrc: u32, stream: Incoming) {
        stream.word.set(stream.highest);
        self.streams.retain(|_, before| (before.mid, before.rid) != (stream.mid, stream.rid));
        self.streams.insert(ssrc, stream);
    }

    pub(crate) fn streams_mut(&mut self) -> impl Iterator<Item = (u32, &mut Incoming)> {
        self.streams.iter_mut().map(|(ssrc, stream)| (*ssrc, stream))
    }

    pub(crate) fn forget_streams(&mut self, of: Mid) {
        self.streams.retain(|_, stream| stream.mid != of);
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = (Mid, ProducerKey)> + '_ {
        self.producers.iter().map(|(mid, producer)| (*mid, *producer))
    }

    pub(crate) fn on(&self, mid: Mid) -> Option<ProducerKey> {
        self.producers.get(&mid).copied()
    }

    pub(crate) fn producers(&self) -> impl Iterator<Item = ProducerKey> + '_ {
        self.producers.values().copied()
    }

    pub(crate) fn count(&self) -> usize {
        self.producers.len()
    }

    pub(crate) fn begin(&mut self, mid: Mid, producer: ProducerKey) {
        self.producers.insert(mid, producer);
    }

    pub(crate) fn end(&mut self, mid: Mid) {
        self.producers.remove(&mid);
    }

    pub(crate) fn held_to(&self) -> Option<u64> {
        self.held_to
    }

    /// The client was told.
    pub(crate) fn hold_to(&mut self, bits_per_second: Option<u64>) {
        self.held_to = bits_per_second;
    }

    /// Notes whether there is something to hold back; returns whether there was the last time.
    pub(crate) fn set_holdable(&mut self, holdable: bool) -> bool {
        std::mem::replace(&mut self.holdable, holdable)
    }
}
