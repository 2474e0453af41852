//! The least that forwarding costs on this machine: receive, seal with AES-GCM, send; nothing of a media server.
//! The shape is the one of the run it stands beside: the same bursts, sizes and number of receivers.
//! Invariant: what is counted is one thread's CPU time and the datagrams that the kernel took from it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use mio::{Events, Interest, Poll, Token};
use salon_peer::media::thread_cpu;
use salon_udp::{Batch, Run, Wait};
use serde::Serialize;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::plan::{Plan, Rates};

/// Bytes of an RTP header with extensions, as packets of a run have.
const HEADER: usize = 24;
/// Datagrams are handed to the kernel once this much has gathered.
const GATHER_BYTES: usize = 200_000;
const GATHER_RUNS: usize = 64;
const BUFFER: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_millis(20);

/// What forwarding costs at least.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Floor {
    /// Microseconds of CPU time per datagram sent, with UDP segmentation.
    pub segmented: f64,
    /// The same with a message for each datagram.
    pub plain: f64,
}

impl Floor {
    /// Measures both; each takes `seconds`.
    pub fn measure(plan: &Plan, seconds: Duration) -> anyhow::Result<Self> {
        Ok(Self { segmented: measure(plan, seconds, true)?, plain: measure(plan, seconds, false)? })
    }
}

fn measure(plan: &Plan, seconds: Duration, segmentation: bool) -> anyhow::Result<f64> {
    let shape = &plan.shape;
    let audience = shape.subscribers + if shape.mutual { shape.publishers - 1 } else { 0 };
    let receivers = shape.meetings * audience.max(1);
    let stop = Arc::new(AtomicBool::new(false));

    let mut sinks = Vec::with_capacity(receivers);
    let mut addresses = Vec::with_capacity(receivers);
    for _ in 0..receivers {
        let sink = socket(None)?;
        addresses.push(SockAddr::from(sink.local_addr()?));
        sinks.push(sink);
    }
    let entrance = socket(Some(PATIENCE))?;
    let to = entrance.local_addr()?;
    let arrived = Arc::new(AtomicU64::new(0));
    let sink = thread::Builder::new().name("floor sink".into()).spawn({
        let (stop, arrived) = (stop.clone(), arrived.clone());
        move || swallow(sinks, &stop, &arrived)
    })?;
    let source = thread::Builder::new().name("floor source".into()).spawn({
        let (stop, rates, meetings, publishers) = (stop.clone(), plan.rates, shape.meetings, shape.publishers);
        move || produce(to, rates, meetings, publishers, &stop)
    })?;
    let worker = thread::Builder::new().name("floor".into()).spawn({
        let stop = stop.clone();
        move || forward(&entrance, &addresses, audience.max(1), segmentation, &stop)
    })?;
    thread::sleep(seconds);
    stop.store(true, Ordering::Relaxed);
    let (used, sent) = worker.join().ok().context("the floor has failed")?;
    let _ = source.join();
    let _ = sink.join();
    anyhow::ensure!(sent > 0 && arrived.load(Ordering::Relaxed) > 0, "the floor forwarded nothing");
    Ok(used.as_secs_f64() * 1e6 / sent as f64)
}

fn socket(patience: Option<Duration>) -> anyhow::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(patience)?;
    Ok(socket)
}

/// Sends what the publishers of a run would, each burst at once.
fn produce(to: SocketAddr, rates: Rates, meetings: usize, publishers: usize, stop: &AtomicBool) {
    let Ok(socket) = socket(None) else { return };
    let start = Instant::now();
    let to = SockAddr::from(to);
    // When each stream sends next, in which rhythm, and what.
    let mut streams: Vec<(Instant, f64, f64, f64, usize, usize)> = Vec::new();
    for at in 0..meetings * publishers {
        let after = start + Duration::from_micros(at as u64 % 32 * 1_031);
        if rates.video_pps > 0.0 {
            streams.push((after, rates.fps, rates.video_pps / rates.fps, 0.0, rates.video_bytes, at / publishers));
        }
        if rates.audio_pps > 0.0 {
            let after = after + Duration::from_micros(7_300);
            streams.push((after, rates.audio_pps, 1.0, 0.0, rates.audio_bytes, at / publishers));
        }
    }
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        for (next, per_second, packets, owed, size, meeting) in &mut streams {
            while *next <= now {
                *owed += *packets;
                let mut packet = vec![0x5a; HEADER + *size];
                packet[..4].copy_from_slice(&(*meeting as u32).to_be_bytes());
                let runs: Vec<Run<'_>> =
                    (0..*owed as u64).map(|_| Run { to: to.clone(), bytes: &packet, each: packet.len() }).collect();
                let _ = salon_udp::send(&socket, &runs);
                *owed = owed.fract();
                *next += Duration::from_secs_f64(1.0 / *per_second);
            }
        }
        let next = streams.iter().map(|stream| stream.0).min().unwrap_or(now + PATIENCE);
        thread::sleep(next.saturating_duration_since(Instant::now()).min(PATIENCE));
    }
}

/// Larger than any datagram of WebRTC, and as many as a call is worth.
fn batch() -> Batch {
    Batch::new(32, 2_048)
}

/// Reads what comes and throws it away.
fn swallow(sinks: Vec<UdpSocket>, stop: &AtomicBool, arrived: &AtomicU64) {
    let Ok(mut poll) = Poll::new() else { return };
    let mut registered: Vec<mio::net::UdpSocket> = Vec::with_capacity(sinks.len());
    for (at, sink) in sinks.into_iter().enumerate() {
        let _ = sink.set_nonblocking(true);
        let mut sink = mio::net::UdpSocket::from_std(sink);
        let _ = poll.registry().register(&mut sink, Token(at), Interest::READABLE);
        registered.push(sink);
    }
    let mut events = Events::with_capacity(1_024);
    let mut batch = batch();
    while !stop.load(Ordering::Relaxed) {
        let _ = poll.poll(&mut events, Some(PATIENCE));
        for event in &events {
            loop {
                let count = batch.receive(&registered[event.token().0], Wait::No).unwrap_or(0);
                arrived.fetch_add(count as u64, Ordering::Relaxed);
                if !batch.is_full() {
                    break;
                }
            }
        }
    }
}

/// The floor itself: forwards at once what has come, as a server without a tick would. The CPU time used, and the datagrams sent.
fn forward(
    entrance: &UdpSocket,
    receivers: &[SockAddr],
    audience: usize,
    segmentation: bool,
    stop: &AtomicBool,
) -> (Duration, u64) {
    let keys: Vec<LessSafeKey> = (0..receivers.len())
        .map(|at| {
            let key = [at as u8; 32];
            LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("a key of the right length"))
        })
        .collect();
    let mut batch = batch();
    let mut out = Vec::with_capacity(GATHER_BYTES + 65_536);
    // Receiver, first and last byte, size of a datagram.
    let mut runs: Vec<(usize, usize, usize, u16)> = Vec::new();
    let (mut count, mut sent) = (0u64, 0u64);
    let before = thread_cpu();
    while !stop.load(Ordering::Relaxed) {
        let came = batch.receive(entrance, Wait::ForOne).unwrap_or(0);
        let mut packets: Vec<Vec<u8>> = (0..came).map(|at| batch.arrivals(at).bytes.to_vec()).collect();
        packets.retain(|packet| packet.len() >= HEADER);
        while let Some(first) = packets.first() {
            let meeting = u32::from_be_bytes(*first.first_chunk().expect("as long as a header")) as usize;
            let (ours, others): (Vec<_>, Vec<_>) =
                packets.into_iter().partition(|packet| packet[..4] == (meeting as u32).to_be_bytes());
            packets = others;
            for (receiver, key) in keys.iter().enumerate().skip(meeting * audience).take(audience) {
                for packet in &ours {
                    let start = out.len();
                    out.extend_from_slice(packet);
                    count += 1;
                    let mut nonce = [0; NONCE_LEN];
                    nonce[4..].copy_from_slice(&count.to_be_bytes());
                    let (head, body) = out[start..].split_at_mut(HEADER);
                    let nonce = Nonce::assume_unique_for_key(nonce);
                    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), body);
                    out.extend_from_slice(tag.expect("a packet is far below the limit of AES-GCM").as_ref());
                    let (end, size) = (out.len(), (out.len() - start) as u16);
                    match runs.last_mut() {
                        Some((to, _, last, segment)) if segmentation && *to == receiver && *segment == size => *last = end,
                        _ => runs.push((receiver, start, end, size)),
                    }
                }
                if runs.len() >= GATHER_RUNS || out.len() >= GATHER_BYTES {
                    sent += flush(entrance, receivers, &mut runs, &mut out);
                }
            }
            sent += flush(entrance, receivers, &mut runs, &mut out);
        }
    }
    (thread_cpu() - before, sent)
}

fn flush(socket: &UdpSocket, receivers: &[SockAddr], gathered: &mut Vec<(usize, usize, usize, u16)>, out: &mut Vec<u8>) -> u64 {
    let runs: Vec<Run<'_>> = gathered
        .iter()
        .map(|(to, start, end, segment)| Run {
            to: receivers[*to].clone(),
            bytes: &out[*start..*end],
            each: usize::from(*segment),
        })
        .collect();
    let mut sent = 0;
    let mut rest = &runs[..];
    while !rest.is_empty() {
        let taken = salon_udp::send(socket, rest).unwrap_or(0);
        sent += rest[..taken].iter().map(|run| run.count() as u64).sum::<u64>();
        // A run that the kernel does not take is lost, as UDP may be.
        rest = &rest[(taken + usize::from(taken == 0)).min(rest.len())..];
    }
    gathered.clear();
    out.clear();
    sent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Line, Shape};

    #[test]
    fn the_floor_can_be_measured() {
        let plan = Plan {
            shape: Shape { meetings: 2, publishers: 1, subscribers: 3, mutual: false, streams: 1 },
            rates: Rates { video_pps: 200.0, video_bytes: 1_000, fps: 30.0, audio_pps: 50.0, audio_bytes: 100 },
            line: Line { loss: 0.0, delay: Duration::ZERO },
            joins_per_second: 10.0,
            settle: Duration::ZERO,
            window: Duration::from_secs(1),
            open_every: 1,
        };
        let floor = Floor::measure(&plan, Duration::from_millis(400)).unwrap();
        assert!(floor.segmented > 0.0 && floor.plain > 0.0, "{floor:?}");
    }
}
