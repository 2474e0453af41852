//! How good calls are, read from what producers, consumers and transports know of themselves; nothing is kept here.
//! Next: `quality/incoming.rs` and `quality/outgoing.rs` know, `quality/score.rs` judges, `quality/reason.rs` decides why.

pub(crate) mod incoming;
pub(crate) mod outgoing;
pub(crate) mod picture_size;
pub(crate) mod reason;
pub(crate) mod reception;
pub(crate) mod score;

use std::time::{Duration, Instant};

use self::outgoing::Reading;
use super::Engine;
use super::consumer::Consumer;
use super::key::{Key, ProducerKey};
use super::ntp::short_ntp;
use super::producer::Producer;
use super::transport::Transport;
use crate::quality::{Because, ConsumerQuality, LayerQuality, LineQuality, ProducerQuality, QualityTotals, Reason};
use crate::sdp::Kind;
use crate::{Error, RoomId, TransportId};

impl Engine {
    /// Everyone's connections in a room, in no order.
    pub(crate) fn quality(&self, now: Instant, room: &RoomId) -> Vec<LineQuality> {
        let lines = self.rooms.members(room);
        lines.iter().filter_map(|key| Some(self.line_quality(now, self.transports.get(*key)?))).collect()
    }

    /// How long ago something came last on a transport.
    pub(crate) fn quiet_for(&self, now: Instant, transport: &TransportId) -> Result<Duration, Error> {
        let transport = self.transports.key_of(transport).and_then(|key| self.transports.get(key));
        transport.map(|transport| transport.quiet_for(now)).ok_or(Error::UnknownTransport)
    }

    fn line_quality(&self, now: Instant, transport: &Transport) -> LineQuality {
        let producers = transport.publishing.producers().filter_map(|key| self.producers.get(key));
        let consumers = transport.subscribing.consumers().filter_map(|(mid, consumer)| {
            let producer = self.producers.get(consumer.producer)?;
            Some(consumer_quality(now, transport, &mid.to_string(), consumer, producer))
        });
        LineQuality {
            transport: transport.id().clone(),
            role: transport.role(),
            rtt: transport.rtt(),
            estimate: estimate(transport),
            loss: transport.subscribing.egress().and_then(|e| e.congestion.loss()),
            producers: producers.map(|producer| producer_quality(now, transport, producer)).collect(),
            consumers: consumers.collect(),
        }
    }

    /// All tracks that go out, added up.
    pub(crate) fn quality_totals(&self, now: Instant) -> QualityTotals {
        let mut totals = QualityTotals {
            freezes: self.counters.freezes,
            frozen: self.counters.frozen,
            resent: self.counters.resent,
            ..QualityTotals::default()
        };
        for (_, transport) in self.transports.iter() {
            totals.held_publishers += u64::from(transport.publishing.held_to().is_some());
            if let Some(rtt) = transport.rtt().filter(|_| transport.subscribing.consumers().len() > 0) {
                totals.rtt.add(rtt.as_secs_f64());
            }
            for (_, consumer) in transport.subscribing.consumers() {
                if let Some(producer) = self.producers.get(consumer.producer) {
                    add(&mut totals, now, transport, consumer, producer);
                }
            }
        }
        for (_, producer) in self.producers.iter() {
            totals.refused_layers += producer.known_layers().iter().filter(|l| l.sent && l.beyond.is_some()).count() as u64;
        }
        totals
    }

    /// A stream goes to nobody from now on: who got it needs a key frame of something before anything else.
    pub(super) fn cut_stream(&mut self, key: ProducerKey, stream: usize) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        producer.waiting.retain(|packet| packet.stream != stream);
        producer.forget_key_frames();
        for (to, mid) in &producer.consumers {
            let consumer = self.transports.get_mut(*to).and_then(|t| t.subscribing.consumer_mut(*mid));
            let current = |c: &&mut Consumer| c.current_layer().and_then(|layer| producer.stream_with(layer));
            if let Some(consumer) = consumer.filter(|c| current(c) == Some(stream)) {
                consumer.restart();
            }
        }
    }

    /// A subscriber's report about one of its tracks.
    pub(super) fn hear_reception(&mut self, now: Instant, key: Key, report: &reception::Reception) {
        let wall = short_ntp(self.identity.wall(now));
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some((_, consumer)) = transport.subscribing.sending_as(report.ssrc) else { return };
        consumer.quality.hear(report, wall);
        if let Some(rtt) = report.rtt(wall) {
            transport.measured(outgoing::smoothed(transport.rtt(), rtt));
        }
    }
}

fn estimate(transport: &Transport) -> Option<u64> {
    transport.subscribing.egress().and_then(|egress| egress.congestion.estimate())
}

fn producer_quality(now: Instant, transport: &Transport, producer: &Producer) -> ProducerQuality {
    let layers = producer.layers_quality(now);
    let best = layers.iter().filter(|l| l.alive).max_by_key(|l| (l.size.map(pixels), l.bitrate));
    let score = best.map(|layer| match producer.kind {
        // What comes in has not gone to anyone yet: half of a way.
        Kind::Audio => score::sound(layer.loss, transport.rtt().unwrap_or_default() / 2, layer.jitter),
        Kind::Video => score::picture(score::Picture {
            frozen: 0.0,
            loss: layer.loss,
            steps_down: 0,
            bits_per_pixel: bits_per_pixel(layer.bitrate, layer.size, layer.frames_per_second),
        }),
    });
    ProducerQuality {
        producer: producer.id.clone(),
        kind: producer.kind,
        screen_share: producer.screen_share,
        paused: producer.paused,
        score: score.filter(|_| !producer.paused),
        key_frame_requests: producer.key_frame_requests(),
        held_to: transport.publishing.held_to(),
        voice: producer.loudness.voice().filter(|_| producer.kind == Kind::Audio),
        layers,
    }
}

fn consumer_quality(now: Instant, transport: &Transport, mid: &str, consumer: &Consumer, producer: &Producer) -> ConsumerQuality {
    let reading = consumer.quality.read(now, consumer.kind.clock_rate());
    let layer = consumer.current_layer().and_then(|layer| producer.layer_quality(now, layer));
    let (packets, bytes) = consumer.stream.sent_so_far();
    ConsumerQuality {
        producer: producer.id.clone(),
        mid: mid.to_owned(),
        kind: producer.kind,
        screen_share: producer.screen_share,
        paused: producer.paused,
        flowing: layer.is_some() && !producer.paused,
        first_sent_ago: consumer.quality.first_sent_at().map(|at| now.saturating_duration_since(at)),
        rid: layer.as_ref().and_then(|l| l.rid.clone()),
        wanted: consumer.wanted.map(|rid| rid.to_string()),
        size: layer.as_ref().and_then(|l| l.size),
        reason: reason_of(transport, consumer, producer),
        bitrate: reading.bitrate,
        packets: u64::from(packets),
        bytes: u64::from(bytes),
        frames_per_second: reading.frames_per_second,
        lost: reading.lost.map(u64::from),
        loss: reading.loss,
        rtt: consumer.quality.rtt,
        jitter: reading.jitter,
        freezes: reading.freezes,
        frozen: reading.frozen,
        key_frame_requests: consumer.quality.key_frame_requests,
        resent: consumer.quality.resent,
        score: score_of(&reading, transport, consumer, producer, layer.as_ref()),
    }
}

fn reason_of(transport: &Transport, consumer: &Consumer, producer: &Producer) -> Reason {
    if !consumer.negotiated {
        return Reason::nothing(Because::Unanswered);
    }
    if producer.paused {
        return Reason::nothing(Because::Paused);
    }
    reason::of(&reason::Choice {
        layers: &producer.known_layers(),
        wanted: consumer.wanted.filter(|_| producer.kind == Kind::Video),
        grant: consumer.granted(),
        estimate: estimate(transport),
        current: consumer.current_layer(),
        awaited: consumer.awaited_layer(),
    })
}

fn score_of(
    reading: &Reading,
    transport: &Transport,
    consumer: &Consumer,
    producer: &Producer,
    layer: Option<&LayerQuality>,
) -> Option<f32> {
    let loss = reading.loss.filter(|_| !producer.paused && consumer.negotiated)?;
    if producer.kind == Kind::Audio {
        let rtt = consumer.quality.rtt.or(transport.rtt()).unwrap_or_default();
        return layer.map(|_| score::sound(loss, rtt, reading.jitter.unwrap_or_default()));
    }
    // Without a layer it stands still, and the reading says so.
    Some(score::picture(score::Picture {
        frozen: reading.still,
        loss,
        steps_down: layer.map_or(0, |_| producer.steps_below_wanted(consumer.current_layer(), consumer.wanted)),
        bits_per_pixel: layer.and_then(|l| bits_per_pixel(reading.bitrate, l.size, reading.frames_per_second)),
    }))
}

fn add(totals: &mut QualityTotals, now: Instant, transport: &Transport, consumer: &Consumer, producer: &Producer) {
    let reading = consumer.quality.read(now, consumer.kind.clock_rate());
    let layer = consumer.current_layer().and_then(|layer| producer.layer_quality(now, layer));
    if let Some(loss) = reading.loss {
        totals.loss.add(f64::from(loss));
    }
    if let Some(jitter) = reading.jitter {
        totals.jitter.add(jitter.as_secs_f64());
    }
    let score = score_of(&reading, transport, consumer, producer, layer.as_ref()).map(f64::from);
    if consumer.kind == Kind::Audio {
        score.into_iter().for_each(|score| totals.audio_score.add(score));
        return;
    }
    score.into_iter().for_each(|score| totals.video_score.add(score));
    if producer.paused || !consumer.negotiated {
        return;
    }
    totals.video_bitrate.add(reading.bitrate as f64);
    let name = match layer.as_ref().map(|l| l.rid.as_deref()) {
        None => "nothing",
        Some(None) => "single",
        Some(Some(rid)) if ["f", "h", "q"].contains(&rid) => rid,
        Some(Some(_)) => "other",
    };
    for (layer, count) in &mut totals.layers {
        *count += u64::from(*layer == name);
    }
}

fn pixels((width, height): (u16, u16)) -> u32 {
    u32::from(width) * u32::from(height)
}

fn bits_per_pixel(bitrate: u64, size: Option<(u16, u16)>, frames_per_second: f32) -> Option<f32> {
    let pixels = size.map(pixels)? as f32 * frames_per_second;
    (pixels > 0.0 && bitrate > 0).then(|| bitrate as f32 / pixels)
}

/// Ended freezes go into the sums of the thread.
pub(super) fn thawed(counters: &mut crate::counters::Counters, stood: Option<Duration>) {
    if let Some(stood) = stood {
        counters.freezes += 1;
        counters.frozen += stood;
    }
}
